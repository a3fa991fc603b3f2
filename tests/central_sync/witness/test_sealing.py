"""Old batches move into segments and are read as before, wherever a kill interrupts the move."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from central_sync.proofs.entry import FactEntry, parse_entry
from central_sync.store.port import StoreUnavailableError
from central_sync.store.segments import SegmentFolder
from central_sync.witness.sealing import Sealer
from edge_agent.wire.frame import FrameFlag
from edge_agent.wire.vocabulary import Verdict
from tests.central_sync.evaluate.signing_gateway import HOUR, TEN, Centre
from tests.central_sync.furnished import chain_of, furnish, register
from tests.central_sync.ingest.signed_chain import rows_at

DAY = 24 * HOUR
ROOT = Path(__file__).parents[3]
DYING = "tests.central_sync.witness.sealing_and_dying"


def sealer(centre: Centre, *, segment_bytes: int = 1 << 20) -> Sealer:
    """Return what seals batches that are a day old."""
    return Sealer(
        store=centre.store,
        folder=SegmentFolder(centre.settings.segments),
        now_ns=centre.clock,
        seal_after_ns=DAY,
        segment_bytes=segment_bytes,
    )


def everything(centre: Centre) -> list[tuple[bytes, bytes, bytes, bytes]]:
    """Return the signed bytes of every batch, with its receipt."""
    return [
        (batch.header_bytes, batch.signature, batch.body, batch.receipt)
        for line in centre.store.lines(None, None, None)
        for batch in centre.store.line_batches(line, None, 1000)
    ]


def bodies_in_store(centre: Centre) -> int:
    """Return how many batches are in no segment."""
    return len(centre.store.unsealed(2**62, 2**62))


def test_a_sealed_batch_is_read_as_before(centre: Centre) -> None:
    chains = furnish(centre)
    before = everything(centre)
    touching = centre.store.batches_touching(chains[0].gateway_id, TEN, TEN + HOUR)
    assert bodies_in_store(centre) == len(before)
    centre.clock.now_ns += 3 * DAY
    assert sealer(centre).run() == len(before)
    assert bodies_in_store(centre) == 0
    assert everything(centre) == before
    assert centre.store.batches_touching(chains[0].gateway_id, TEN, TEN + HOUR) == touching
    last = parse_entry(centre.store.log_entries(centre.store.log_size() - 1, 1)[0])
    assert isinstance(last, FactEntry)
    assert (last.type, last.fields["batch_count"]) == ("segment_sealed", len(before))
    (file,) = centre.settings.segments.iterdir()
    assert file.name == f"{last.fields['sha256']}.segment"


def test_only_what_is_old_is_sealed_and_a_segment_waits_until_it_is_worth_it(
    centre: Centre,
) -> None:
    furnish(centre)
    assert sealer(centre).run() == 0
    centre.clock.now_ns += DAY + HOUR
    assert sealer(centre).run() == 0
    assert sealer(centre, segment_bytes=1).run_once() == 1
    centre.clock.now_ns += DAY
    assert sealer(centre).run() > 1


def test_readings_that_come_after_their_headstone_was_sealed_are_kept(centre: Centre) -> None:
    chain = chain_of(3)
    register(centre, chain)
    rows = rows_at([TEN])
    zero, one = chain.batch(), chain.batch(rows)
    centre.take(zero)
    centre.take(chain.headstone(rows, [], one), flags=FrameFlag.HEADSTONE)
    centre.clock.now_ns += 3 * DAY
    (batches,) = [centre.store.unsealed(2**62, 2**62)]
    segment = SegmentFolder(centre.settings.segments).write(batches)
    centre.take(one)  # between writing and forgetting
    assert centre.store.seal(segment) == 1
    stored = centre.store.batch(chain.gateway_id, one.header.chain_id, 1)
    assert stored is not None
    assert (stored.verdict, stored.body) == (Verdict.ACCEPTED, one.body)
    centre.clock.now_ns += 3 * DAY
    assert sealer(centre).run() == 1
    again = centre.store.batch(chain.gateway_id, one.header.chain_id, 1)
    assert again == stored


@pytest.mark.parametrize("damage", ["removed", "cut", "altered"])
def test_a_segment_that_is_not_what_it_was_is_told(centre: Centre, damage: str) -> None:
    furnish(centre)
    centre.clock.now_ns += 3 * DAY
    sealer(centre).run()
    (file,) = centre.settings.segments.iterdir()
    octets = file.read_bytes()
    file.unlink()
    if damage == "cut":
        file.write_bytes(octets[:100])
    elif damage == "altered":
        file.write_bytes(octets[:400] + b"x" + octets[401:])
    with pytest.raises(StoreUnavailableError, match="segment"):
        everything(centre)


def test_a_kill_at_any_step_of_sealing_loses_nothing(tmp_path: Path) -> None:
    centre = Centre(tmp_path)
    furnish(centre, batches=3)
    centre.close()
    done = subprocess.run(
        [sys.executable, "-m", DYING, str(tmp_path / "centre.db")],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert outcome["differing"] == []
    assert outcome["left"] == 0
    # At least one kill before, one between and one after writing and forgetting.
    assert outcome["kills"] > 30
    assert outcome["kills_after_the_file_stood"] > 10
