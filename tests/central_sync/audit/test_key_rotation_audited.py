"""A change of the signing key as an auditor meets it: in an archive of the centre that took it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from central_sync.audit.source import FolderSource
from central_sync.audit.verify import Audit
from central_sync.cli import main
from central_sync.config import ExitCode
from edge_agent.wire.batch import SignedBatch
from edge_agent.wire.vocabulary import Verdict
from tests.central_sync.audit.made import fact, make, registered
from tests.central_sync.audit.records import line_files
from tests.central_sync.evaluate.signing_gateway import Centre
from tests.central_sync.furnished import export, register
from tests.central_sync.ingest.rotating import NEXT, following, rotated
from tests.central_sync.ingest.signed_chain import SignedChain


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Centre]:
    made = Centre(tmp_path / "state")
    yield made
    made.close()


@pytest.fixture
def old(centre: Centre) -> SignedChain:
    """The chain of a gateway that the centre knows, as it was before the change of keys."""
    chain = SignedChain()
    register(centre, chain)
    taken(centre, *chain.batches(3))
    return chain


@pytest.fixture
def last(centre: Centre, old: SignedChain) -> SignedBatch:
    """The batch that ends it; the next key has signed three batches since."""
    ending = old.batch(events=[rotated(old)])
    after = following(old)
    after.previous = ending
    taken(centre, ending, *after.batches(3))
    return ending


def taken(centre: Centre, *batches: SignedBatch) -> None:
    """Let the centre take batches, each as good."""
    for batch in batches:
        centre.clock.now_ns += 1
        assert centre.take(batch).verdicts == (Verdict.ACCEPTED,)


def verify(centre: Centre, folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Export an archive and verify it; return exit code and what was said."""
    export(centre, folder)
    capsys.readouterr()
    code = main(["verify", str(folder)])
    return code, capsys.readouterr().out


def test_batches_of_both_keys_verify(
    centre: Centre, last: SignedBatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert last.header.batch_no == 3
    code, said = verify(centre, tmp_path / "archive", capsys)
    assert (code, said.endswith("PASS\n")) == (0, True)
    packed = b"".join(path.read_bytes() for path in line_files(tmp_path / "archive"))
    assert packed.count(last.header.key_id) == 4
    assert packed.count(NEXT.key_id) == 3


@pytest.mark.usefixtures("last")
def test_a_batch_of_the_old_key_behind_the_change_fails(
    centre: Centre, old: SignedChain, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    taken(centre, old.batch())
    code, said = verify(centre, tmp_path / "archive", capsys)
    assert code == ExitCode.BAD_DATA
    assert "FAIL" in said
    assert f"batch 4 of chain {old.position.chain_id}" in said
    assert "a chain that its key has ended" in said


@pytest.mark.parametrize("is_told", [True, False])
def test_another_key_within_a_chain_fails(tmp_path: Path, *, is_told: bool) -> None:
    chain = SignedChain()
    ending = chain.batch(events=[rotated(chain)] if is_told else [])
    facts = registered(chain)
    follower = {"key_id": NEXT.key_id.hex(), "public_key": NEXT.public_bytes.hex()}
    facts.append(fact("key_registered", gateway=str(chain.gateway_id), **follower))
    chain.key = NEXT
    batches = [(one, Verdict.ACCEPTED) for one in (ending, chain.batch())]
    report = Audit(FolderSource(make(tmp_path / "archive", facts, batches))).run()
    (finding,) = report.findings
    wanted = "a chain that its key has ended" if is_told else "another key than the batch before"
    assert wanted in finding.detail
