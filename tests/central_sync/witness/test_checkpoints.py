"""The centre vouches for its log, and notices when its store is not what it vouched for."""

import shutil
import sqlite3
from pathlib import Path

import pytest

from central_sync.model import AlarmCode
from central_sync.proofs.note import Checkpoint
from central_sync.witness.checkpoints import LogRewrittenError
from tests.central_sync.evaluate.signing_gateway import Centre
from tests.central_sync.furnished import furnish


def copy_of(state: Path, target: Path) -> None:
    """Copy a store that is closed."""
    shutil.copy(state / "centre.db", target)


def test_a_checkpoint_is_of_the_log_as_it_is(centre: Centre) -> None:
    witness = centre.parts.witness
    made, note = witness.checkpoint()
    assert made.size == centre.store.log_size()
    assert Checkpoint.opened(note, witness.note_key) == made
    assert centre.store.checkpoint() == note == witness.file.read_bytes()
    assert witness.fault() is None


def test_the_log_goes_on_under_the_same_key_after_a_restart(tmp_path: Path) -> None:
    first = Centre(tmp_path)
    furnish(first)
    made, _ = first.parts.witness.checkpoint()
    first.close()
    second = Centre(tmp_path)
    assert second.parts.log_fault is None
    assert second.parts.witness.note_key.name == made.origin
    assert second.store.log_size() == made.size
    second.close()


def test_a_store_that_was_set_back_is_noticed_and_goes_on_under_another_name(
    tmp_path: Path,
) -> None:
    state = tmp_path / "state"
    first = Centre(state)
    first.close()
    copy_of(state, tmp_path / "backup.db")
    first = Centre(state)
    furnish(first)
    made, _ = first.parts.witness.checkpoint()
    first.close()
    for name in ("centre.db-wal", "centre.db-shm"):
        (state / name).unlink(missing_ok=True)
    shutil.copy(tmp_path / "backup.db", state / "centre.db")
    second = Centre(state)
    assert second.parts.log_fault is not None
    assert f"the checkpoint in {state / 'log.checkpoint'} is of {made.size}" in (
        second.parts.log_fault
    )
    assert second.parts.witness.note_key.name != made.origin
    assert [alarm.code for alarm in second.store.alarms(is_open=True)] == [AlarmCode.LOG]
    furnish(second)
    second.parts.witness.checkpoint()
    second.close()
    third = Centre(state)
    assert third.parts.log_fault is None
    assert len(list(state.glob("log.key.*"))) == len(list(state.glob("log.checkpoint.*"))) == 1
    third.close()


def test_a_log_that_was_rewritten_while_it_served_is_not_signed_again(tmp_path: Path) -> None:
    centre = Centre(tmp_path)
    furnish(centre)
    centre.parts.witness.checkpoint()
    other = sqlite3.connect(tmp_path / "centre.db")
    other.execute("update log_node set root = zeroblob(32)")
    other.commit()
    other.close()
    with pytest.raises(LogRewrittenError, match="are not those of the checkpoint"):
        centre.parts.witness.checkpoint()
    centre.close()


@pytest.mark.parametrize("change", ["log_entry set entry = x'03'", "log_node set root = x'00'"])
def test_a_thorough_look_finds_what_was_altered_anywhere(tmp_path: Path, change: str) -> None:
    centre = Centre(tmp_path)
    furnish(centre)
    centre.parts.witness.checkpoint()
    other = sqlite3.connect(tmp_path / "centre.db")
    other.execute(f"update {change} where rowid = 1" if "entry" in change else f"update {change}")
    other.commit()
    other.close()
    assert centre.parts.witness.fault(is_thorough=True) is not None
    centre.close()


def test_a_checkpoint_file_that_was_altered_is_noticed(tmp_path: Path) -> None:
    centre = Centre(tmp_path)
    witness = centre.parts.witness
    _, note = witness.checkpoint()
    witness.file.write_bytes(note.replace(b"\n", b"\n9", 1))
    fault = witness.fault()
    assert fault is not None
    assert "not made by key" in fault
    centre.close()
