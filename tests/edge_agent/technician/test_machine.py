"""Facts about the machine that runs this test."""

import grp
import os
import pwd
from pathlib import Path

import pytest

from edge_agent.technician import machine

NOBODY = "nobody"


@pytest.mark.parametrize(
    ("mode", "is_allowed"), [(0o600, False), (0o660, False), (0o664, False), (0o666, True)]
)
def test_a_stranger_may_use_what_everybody_may(
    tmp_path: Path,
    mode: int,
    is_allowed: bool,  # noqa: FBT001 - a case of the table
) -> None:
    path = tmp_path / "port"
    path.touch()
    path.chmod(mode)
    assert machine.may_use(path, NOBODY) is is_allowed


def test_a_user_that_there_is_not_may_use_nothing(tmp_path: Path) -> None:
    assert not machine.may_use(tmp_path, "nobody-of-this-name")


def test_a_file_is_its_owners(tmp_path: Path) -> None:
    assert machine.owner_of(tmp_path) == pwd.getpwuid(os.getuid()).pw_name
    assert machine.owner_of(tmp_path / "none") == ""


def test_the_disk_of_a_folder_is_found_with_its_space(tmp_path: Path) -> None:
    (tmp_path / "buffer.db").write_bytes(bytes(1000))
    disk = machine.disk_of(tmp_path / "buffer.db")
    assert disk is not None
    assert tmp_path.is_relative_to(disk.mount)
    assert disk.buffer_bytes == 1000
    assert disk.free_bytes > 0


def test_nothing_is_known_of_a_folder_that_there_is_not(tmp_path: Path) -> None:
    assert machine.disk_of(tmp_path / "none" / "buffer.db") is None


def test_a_port_that_is_a_terminal_is_one_and_a_file_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    user = machine.agent_user("")
    terminal, file, missing = machine.serial_ports(
        ["/dev/null", str(tmp_path / "file"), "/dev/none"], user=user
    )
    assert terminal.is_there
    assert terminal.is_open_to_user
    assert terminal.group == grp.getgrgid(Path("/dev/null").stat().st_gid).gr_name
    assert not file.is_there
    assert not missing.is_there


def test_the_user_of_the_unit_stands_before_who_asks() -> None:
    assert machine.agent_user("edge-agent") == "edge-agent"
