"""The files of an edition come back as they were, and only what was accepted stands in."""

import shutil
import tarfile
from pathlib import Path
from typing import Final

import pytest

from edge_agent.config.editions import plan_at_reload, plan_at_start, unpacked
from edge_agent.config.kept import Kept, Record
from edge_agent.config.plan import Plan

GOOD: Final = Path(__file__).parents[2] / "cases" / "config" / "_good"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of a gateway without a mistake."""
    shutil.copytree(GOOD, tmp_path, dirs_exist_ok=True)
    return tmp_path


def reload(folder: Path) -> Plan:
    return plan_at_reload(folder / "agent.toml", environ={}, overrides={})


def start(folder: Path) -> Plan:
    return plan_at_start(folder / "agent.toml", environ={}, overrides={})


def moved(folder: Path) -> Plan:
    """Let a device be polled less often; return the plan of that."""
    path = min((folder / "devices.d").iterdir())
    path.write_text("period_s = 7.0\n" + path.read_text())
    return reload(folder)


def test_an_edition_is_kept_as_it_was_and_says_the_same_plan(folder: Path) -> None:
    plan = reload(folder)
    kept = Kept.of(plan.settings)
    assert kept.has(plan.edition)
    with unpacked(kept, plan.edition) as copy:
        for path in (folder / "devices.d").iterdir():
            assert (copy / "devices.d" / path.name).read_bytes() == path.read_bytes()


def test_every_byte_of_a_device_file_makes_another_edition(folder: Path) -> None:
    before = reload(folder)
    path = min((folder / "devices.d").iterdir())
    path.write_text(path.read_text() + "# moved to the second floor\n")
    after = reload(folder)
    assert after.edition != before.edition
    assert after.config_hash == before.config_hash


def test_at_a_start_the_files_count_whatever_was_accepted(folder: Path) -> None:
    before = reload(folder)
    Kept.of(before.settings).write(Record(accepted=before.edition))
    after = moved(folder)
    assert start(folder).edition == after.edition


@pytest.mark.parametrize("way", ["refused", "tried"])
def test_an_edition_that_was_rolled_back_or_did_not_survive_is_stood_in_for(
    folder: Path, way: str
) -> None:
    before = reload(folder)
    after = moved(folder)
    record = Record(**{"accepted": before.edition, way: after.edition})
    Kept.of(before.settings).write(record)
    started = start(folder)
    assert (started.edition, started.stands_in_for) == (before.edition, after.edition)
    assert started.bundle == before.bundle
    assert list(started.devices) == list(before.devices)


def test_files_that_were_mended_after_a_roll_back_are_taken(folder: Path) -> None:
    before = reload(folder)
    Kept.of(before.settings).write(Record(accepted=before.edition, refused=moved(folder).edition))
    mended = moved_again(folder)
    assert start(folder).edition == mended.edition


def moved_again(folder: Path) -> Plan:
    path = min((folder / "devices.d").iterdir())
    path.write_text(path.read_text().replace("7.0", "8.0"))
    return reload(folder)


def test_what_is_not_kept_any_more_cannot_stand_in(folder: Path) -> None:
    before = reload(folder)
    after = moved(folder)
    kept = Kept.of(before.settings)
    kept.write(Record(accepted=before.edition, refused=after.edition))
    kept.archive(before.edition).write_bytes(b"damaged")
    assert start(folder).edition == after.edition


def test_only_the_editions_that_count_are_kept(folder: Path) -> None:
    first, second, third = reload(folder), moved(folder), moved_again(folder)
    kept = Kept.of(first.settings)
    kept.write(Record(accepted=first.edition, tried=third.edition))
    assert [kept.has(one.edition) for one in (first, second, third)] == [True, False, True]


@pytest.mark.parametrize("content", [b"", b"[]", b'{"accepted": 1, "else": 2}', b"\xff"])
def test_a_record_that_cannot_be_read_says_nothing(folder: Path, content: bytes) -> None:
    kept = Kept.of(reload(folder).settings)
    (kept.folder / "record.json").write_bytes(content)
    assert kept.record() == Record()


@pytest.mark.parametrize("name", ["../outside.toml", "/tmp/outside.toml"])  # noqa: S108 - must be refused
def test_an_archive_cannot_write_outside_its_folder(folder: Path, name: str) -> None:
    kept = Kept.of(reload(folder).settings)
    with tarfile.open(kept.archive("forged"), "w") as archive:
        archive.addfile(tarfile.TarInfo(name))
    with (
        pytest.raises(tarfile.ReadError, match="not a file that is kept"),
        unpacked(kept, "forged"),
    ):
        pass


def test_a_folder_that_cannot_be_written_is_no_reason_to_refuse(folder: Path) -> None:
    (folder / "configurations").write_text("in the way")
    plan = reload(folder)
    assert not Kept.of(plan.settings).has(plan.edition)
