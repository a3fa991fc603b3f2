"""The keeper signs and seals, and tells what it cannot do without stopping."""

import sqlite3
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from central_sync.model import AlarmCode
from central_sync.store.segments import SegmentFolder
from central_sync.witness.keeper import Keeper
from central_sync.witness.sealing import Sealer
from tests.central_sync.evaluate.signing_gateway import HOUR, Centre
from tests.central_sync.furnished import furnish

DAY = 24 * HOUR


@pytest.fixture
def keeper(centre: Centre) -> Keeper:
    """The keeper of a furnished centre whose batches are days old."""
    furnish(centre)
    centre.clock.now_ns += 3 * DAY
    sealer = Sealer(
        store=centre.store,
        folder=SegmentFolder(centre.settings.segments),
        now_ns=centre.clock,
        seal_after_ns=DAY,
    )
    return Keeper(witness=centre.parts.witness, sealer=sealer, interval_s=3600)


def events(keeper: Keeper) -> list[str]:
    """Return what a round logs."""
    with capture_logs() as logged:
        keeper.round()
    return [one["event"] for one in logged]


def test_a_round_seals_what_is_old_and_signs_the_log(centre: Centre, keeper: Keeper) -> None:
    assert events(keeper) == ["batches.sealed", "checkpoint.signed"]
    assert centre.store.checkpoint() == centre.settings.log_checkpoint.read_bytes()
    assert events(keeper) == ["checkpoint.signed"]


def test_a_disk_that_refuses_postpones_sealing_alone(centre: Centre, keeper: Keeper) -> None:
    centre.settings.segments.write_text("in the way")
    assert events(keeper) == ["sealing.postponed", "checkpoint.signed"]
    assert len(centre.store.unsealed(2**62, 2**62)) == 23


def test_a_log_that_was_altered_is_not_signed_and_raises_the_alarm(
    centre: Centre, keeper: Keeper
) -> None:
    events(keeper)
    before = centre.settings.log_checkpoint.read_bytes()
    other = sqlite3.connect(centre.settings.database)
    other.execute("update log_node set root = zeroblob(32)")
    other.commit()
    other.close()
    assert events(keeper) == ["log.rewritten"]
    assert centre.settings.log_checkpoint.read_bytes() == before
    (alarm,) = [one for one in centre.store.alarms(is_open=True) if one.code is AlarmCode.LOG]
    assert "are not those of the checkpoint" in alarm.detail


def test_a_place_that_cannot_be_written_postpones_the_checkpoint(
    centre: Centre, keeper: Keeper, tmp_path: Path
) -> None:
    events(keeper)
    witness = type(keeper.witness)(
        store=centre.store, key=keeper.witness.key, file=tmp_path / "nowhere" / "log.checkpoint"
    )
    lost = Keeper(witness=witness, sealer=keeper.sealer, interval_s=1)
    assert events(lost) == ["checkpoint.postponed"]
