"""An archive is of one moment, whatever the centre takes while it is written."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from central_sync.audit.source import FolderSource
from central_sync.audit.verify import Audit
from central_sync.proofs.note import Checkpoint
from central_sync.witness.checkpoints import Witness
from central_sync.witness.export import BusyError, Exporter
from central_sync.witness.selection import Selection
from edge_agent.wire.frame import FrameFlag
from tests.central_sync.evaluate.signing_gateway import Centre
from tests.central_sync.furnished import chain_of, furnish, register
from tests.central_sync.ingest.signed_chain import TEN, SignedChain, rows_at


@dataclass(frozen=True, kw_only=True)
class BusyWitness(Witness):
    """Signs a checkpoint, and then something happens at the centre."""

    happenings: Iterator[Callable[[], object]] = field(default_factory=lambda: iter(()))

    def checkpoint(self, *, is_thorough: bool = False) -> tuple[Checkpoint, bytes]:
        made = Witness.checkpoint(self, is_thorough=is_thorough)
        next(self.happenings, lambda: None)()
        return made


def exporter(centre: Centre, *happenings: Callable[[], object]) -> Exporter:
    """Return an exporter behind whose checkpoints things happen."""
    real = centre.parts.witness
    witness = BusyWitness(
        store=real.store, key=real.key, file=real.file, happenings=iter(happenings)
    )
    return Exporter(store=centre.store, witness=witness, now_ns=centre.clock, told=lambda _: None)


def stones(centre: Centre, count: int) -> tuple[SignedChain, list[Callable[[], object]]]:
    """Store headstones; return their chain, and what brings the readings of each."""
    chain = chain_of(3)
    register(centre, chain)
    centre.take(chain.batch())
    later: list[Callable[[], object]] = []
    for number in range(count):
        rows = rows_at([TEN + number])
        whole = chain.batch(rows)
        centre.take(chain.headstone(rows, [], whole), flags=FrameFlag.HEADSTONE)
        later.append(lambda whole=whole: centre.take(whole))  # type: ignore[misc] # bound at once
    centre.take(chain.batch())
    return chain, later


def audit_counts(archive: Path) -> tuple[int, int]:
    """Return batches and headstones of an archive that holds."""
    report = Audit(FolderSource(archive)).run()
    assert report.findings == []
    return report.counts.batches, report.counts.headstones


def test_what_comes_after_the_checkpoint_is_not_in_the_archive(
    centre: Centre, tmp_path: Path
) -> None:
    chains = furnish(centre)
    newcomer = chain_of(4)
    register(centre, newcomer)

    def happening() -> None:
        centre.take(chains[0].batch())
        centre.take(newcomer.batch())

    exported = exporter(centre, happening).write(Selection(), tmp_path / "archive")
    assert exported.batch_count == 23
    assert audit_counts(tmp_path / "archive") == (23, 1)
    assert exporter(centre).write(Selection(), tmp_path / "later").batch_count == 25


@pytest.mark.parametrize("is_whole", [True, False])
def test_a_batch_that_changes_meanwhile_begins_the_archive_anew(
    centre: Centre, tmp_path: Path, *, is_whole: bool
) -> None:
    chain, later = stones(centre, 2)
    selection = Selection(gateway_id=None if is_whole else chain.gateway_id)
    exporter(centre, later[0]).write(selection, tmp_path / "archive")
    assert audit_counts(tmp_path / "archive") == (4, 1)


def test_an_archive_that_changes_for_ever_is_given_up(centre: Centre, tmp_path: Path) -> None:
    _, later = stones(centre, 5)
    with pytest.raises(BusyError, match="5 tries"):
        exporter(centre, *later).write(Selection(), tmp_path / "archive")
    assert list(tmp_path.glob("archive*")) == []
