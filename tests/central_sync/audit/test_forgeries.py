"""Whoever alters an archive is found out, and the auditor names what was altered."""

from pathlib import Path

import pytest

from central_sync.audit.report import Report
from central_sync.audit.source import source_of
from central_sync.audit.verify import Audit
from central_sync.proofs.archive import (
    CHECKPOINT,
    ENTRIES,
    LOG_KEY,
    MANIFEST,
    PROOF,
    RESULTS,
)
from central_sync.proofs.note import NoteKey
from edge_agent.wire.signing import SigningKey
from tests.central_sync.audit.forgeries import FORGERIES, Forge


def audited(archive: Path, pinned: NoteKey | None = None) -> Report:
    """Return what the auditor says of an archive."""
    return Audit(source_of(archive), pinned=pinned).run()


def subjects(report: Report) -> list[str]:
    """Return what does not hold, in the order in which it was found."""
    return [finding.subject for finding in report.findings]


def test_an_archive_as_it_was_exported_holds(archive: Path) -> None:
    report = audited(archive)
    assert report.findings == []
    counts = report.counts
    assert (counts.gateways, counts.chains, counts.batches) == (2, 2, 23)
    assert (counts.forks, counts.branches) == (1, 1)
    assert (counts.quarantined, counts.headstones, counts.losses) == (1, 1, 1)
    assert (counts.missing, counts.bundles, counts.profiles) == (2, 1, 1)
    assert counts.log_entries == counts.log_size
    assert counts.hourly_values > 0


@pytest.mark.parametrize("forge", FORGERIES, ids=lambda forge: forge.__name__)
def test_a_forgery_is_found_and_named(archive: Path, forge: Forge) -> None:
    forge(archive)
    report = audited(archive)
    assert not report.is_passed
    assert subjects(report)[0].startswith(FORGERIES[forge]), report.findings


@pytest.mark.parametrize(
    "name", [MANIFEST, CHECKPOINT, ENTRIES, PROOF, LOG_KEY, RESULTS, "manifest.sig"]
)
def test_an_archive_without_one_of_its_files_is_refused(archive: Path, name: str) -> None:
    (archive / name).unlink()
    assert subjects(audited(archive)) == [name]


def test_a_whole_archive_of_somebody_else_is_found_by_a_key_that_is_known(archive: Path) -> None:
    ours = NoteKey.parse((archive / LOG_KEY).read_text().strip())
    assert audited(archive, pinned=ours).is_passed
    theirs = NoteKey(name=ours.name, key=SigningKey.from_seed(b"f" * 32).verifying_key)
    assert subjects(audited(archive, pinned=theirs)) == [LOG_KEY]
