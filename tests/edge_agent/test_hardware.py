"""Facts of the machine, read from a tree of files, and what is told when one is another."""

import os
from pathlib import Path

import pytest

from edge_agent.hardware import hardware_facts
from edge_agent.sameness import hardware_changes
from tests.edge_agent.buffer.gateway import Gateway

MACHINE_ID = "0123456789abcdef0123456789abcdef"


def machine(root: Path) -> Path:
    """Make the files of a small machine."""
    for name, content in {
        "proc/device-tree/serial-number": "10000000a1b2c3d4\0",
        "etc/machine-id": MACHINE_ID + "\n",
        "sys/class/net/eth0/address": "dc:a6:32:00:00:02\n",
        "sys/class/net/eth0/addr_assign_type": "0\n",
        "sys/class/net/eth0/device/uevent": "",
        "sys/class/net/wlan0/address": "dc:a6:32:00:00:01\n",
        "sys/class/net/wlan0/addr_assign_type": "0\n",
        "sys/class/net/wlan0/device/uevent": "",
        "sys/class/net/docker0/address": "02:42:00:00:00:01\n",
        "sys/class/net/docker0/addr_assign_type": "3\n",
        "sys/class/net/usb0/address": "12:34:00:00:00:01\n",
        "sys/class/net/usb0/addr_assign_type": "1\n",
        "sys/class/net/usb0/device/uevent": "",
        "sys/block/mmcblk0/device/cid": "035344534333324780a1b2c3d4015a00\n",
        "sys/block/sda/device/cid": "no card\n",
    }.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    return root


def test_the_facts_are_those_that_a_copy_of_the_card_does_not_take_along(tmp_path: Path) -> None:
    facts = hardware_facts(tmp_path, machine(tmp_path / "root"))
    assert facts["soc_serial"] == "10000000a1b2c3d4"
    assert facts["mac"] == "dc:a6:32:00:00:01,dc:a6:32:00:00:02"
    assert facts["cid"] == "035344534333324780a1b2c3d4015a00"


def test_the_id_of_the_machine_is_never_shown_as_it_is(tmp_path: Path) -> None:
    one = hardware_facts(tmp_path, machine(tmp_path / "root"))["machine_id"]
    (tmp_path / "root/etc/machine-id").write_text(MACHINE_ID[::-1])
    other = hardware_facts(tmp_path, tmp_path / "root")["machine_id"]
    assert MACHINE_ID not in one
    assert one != other


def test_the_file_system_is_named_by_the_link_to_its_device(tmp_path: Path) -> None:
    links = tmp_path / "root/dev/disk/by-uuid"
    links.mkdir(parents=True)
    (links / "11111111-2222").touch()
    assert "fs_uuid" not in hardware_facts(tmp_path, tmp_path / "root")


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes device files")
def test_a_device_file_of_the_same_number_names_it(tmp_path: Path) -> None:
    links = tmp_path / "root/dev/disk/by-uuid"
    links.mkdir(parents=True)
    try:
        os.mknod(links / "11111111-2222", 0o660 | 0o060000, tmp_path.stat().st_dev)
    except PermissionError:
        pytest.skip("device files cannot be made here")
    assert hardware_facts(tmp_path, tmp_path / "root")["fs_uuid"] == "11111111-2222"


def test_what_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/machine-id").write_bytes(b"\xff" * 10)
    (root / "proc/device-tree/serial-number").mkdir(parents=True)
    (root / "sys/class/net").mkdir(parents=True)
    assert hardware_facts(tmp_path, root) == {}


@pytest.mark.asyncio
async def test_a_fact_that_changed_is_told_once_and_one_that_is_not_to_be_read_is_not(
    tmp_path: Path,
) -> None:
    gateway = Gateway(tmp_path)
    first = {"cid": "one", "mac": "m"}
    told: list[list[object]] = []
    for facts in (first, first, {"mac": "m"}, {"cid": "two", "mac": "m"}, {"cid": "two"}):
        async with gateway.opened() as buffer:
            events = await hardware_changes(buffer, facts, now=gateway.clock.now())
            told.append([dict(event.fields) for event in events])
    assert told == [[], [], [], [{"what": "cid", "old": "one", "new": "two"}], []]
