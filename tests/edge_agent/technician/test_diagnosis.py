"""What facts about a machine mean for a gateway, and what each bad one is mended by."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.clock import NTP, RTC, Trust
from edge_agent.technician.diagnosis import (
    Disk,
    Port,
    clock_verdict,
    disk_verdicts,
    environment_of,
    expiry_verdict,
    mounted_at,
    port_verdicts,
    proxy_verdict,
    unit_verdicts,
    zone_verdict,
)
from edge_agent.technician.verdicts import Level, Verdict, bad

MB = 1_000_000
DISK = Disk(
    mount="/var",
    kind="ext4",
    options=("rw", "relatime"),
    source="/dev/sda1",
    medium="SSD",
    wear={},
    free_bytes=2000 * MB,
    buffer_bytes=10 * MB,
)
PORT = Port(path="/dev/ttyUSB0", is_there=True, group="dialout", is_open_to_user=True)
UNIT = {"LoadState": "loaded", "ActiveState": "active", "UnitFileState": "enabled"}


def worst(found: Iterable[Verdict]) -> Verdict:
    """Return the first of the worst verdicts."""
    order = list(Level)
    return max(found, key=lambda one: order.index(one.level))


@pytest.mark.parametrize(
    ("trust", "year", "level"),
    [
        (Trust(state=NTP, error_ms=12), 2026, Level.OK),
        (Trust(state=RTC, error_ms=None), 2026, Level.BAD),
        (Trust(state=0, error_ms=None), 1970, Level.BAD),
    ],
)
def test_a_clock_that_nothing_keeps_right_is_bad(trust: Trust, year: int, level: Level) -> None:
    assert clock_verdict(trust, year=year).level is level


def test_a_local_time_zone_is_no_fault_and_readings_are_in_utc() -> None:
    assert zone_verdict("Europe/Berlin").level is Level.OK
    assert "UTC all the same" in zone_verdict("Europe/Berlin").says


DISKS = [
    pytest.param({}, Level.OK, "", id="good"),
    pytest.param({"kind": "tmpfs"}, Level.BAD, "ext4", id="memory"),
    pytest.param({"kind": "vfat"}, Level.BAD, "ext4", id="a file system without a journal"),
    pytest.param({"options": ("ro",)}, Level.BAD, "remount,rw", id="read-only"),
    pytest.param({"options": ("rw", "data=writeback")}, Level.BAD, "fstab", id="writeback"),
    pytest.param({"options": ("rw", "nobarrier")}, Level.BAD, "fstab", id="no barrier"),
    pytest.param({"free_bytes": 1053 * MB}, Level.BAD, "free 1 MB", id="one MB short"),
    pytest.param({"free_bytes": 1054 * MB}, Level.OK, "", id="just enough"),
    pytest.param({"medium": "SD"}, Level.ODD, "SSD", id="an SD card that tells nothing"),
    pytest.param({"wear": {"life_time": "0x02 0x01"}}, Level.OK, "", id="a young eMMC"),
    pytest.param({"wear": {"life_time": "0x01 0x0a"}}, Level.BAD, "replace", id="an old eMMC"),
    pytest.param({"wear": {"pre_eol_info": "0x03"}}, Level.BAD, "replace", id="without spares"),
    pytest.param({"wear": {"life_time": "", "pre_eol_info": ""}}, Level.OK, "", id="no wear"),
    pytest.param({"wear": {"life_time": "new"}}, Level.OK, "", id="a wear that is no number"),
]


@pytest.mark.parametrize(("facts", "level", "fix"), DISKS)
def test_a_disk_that_may_lose_what_was_committed_is_bad(
    facts: Mapping[str, object], level: Level, fix: str
) -> None:
    found = worst(disk_verdicts(replace(DISK, **facts), quota_mb=1000))  # type: ignore[arg-type]  # a table
    assert found.level is level
    assert fix in found.fix


PORTS = [
    pytest.param(PORT, {}, Level.OK, "", id="good"),
    pytest.param(replace(PORT, is_there=False), {}, Level.BAD, "by-id", id="not plugged in"),
    pytest.param(
        replace(PORT, is_open_to_user=False),
        {},
        Level.BAD,
        "usermod -aG dialout edge-agent",
        id="not in the group",
    ),
    pytest.param(
        PORT, {"PrivateDevices": "yes"}, Level.BAD, "DeviceAllow=/dev/ttyUSB0", id="hidden"
    ),
]


@pytest.mark.parametrize(("port", "unit", "level", "fix"), PORTS)
def test_a_serial_port_that_the_agent_cannot_use_is_bad(
    port: Port, unit: Mapping[str, str], level: Level, fix: str
) -> None:
    (found,) = port_verdicts([port], user="edge-agent", unit=unit)
    assert found.level is level
    assert fix in found.fix


def test_without_serial_devices_no_port_is_missed() -> None:
    (found,) = port_verdicts([], user="edge-agent", unit={"PrivateDevices": "yes"})
    assert found.level is Level.OK


@pytest.mark.parametrize(
    ("environ", "level"),
    [({}, Level.OK), ({"https_proxy": ""}, Level.OK), ({"HTTPS_PROXY": "http://p"}, Level.ODD)],
)
def test_a_proxy_is_told_because_the_agent_uses_none(
    environ: Mapping[str, str], level: Level
) -> None:
    assert proxy_verdict(environ).level is level


def test_the_environment_of_the_unit_counts_as_well() -> None:
    unit = {"Environment": "OPENBLAS_NUM_THREADS=1 HTTPS_PROXY=http://p:1"}
    assert environment_of(unit)["HTTPS_PROXY"] == "http://p:1"


UNITS = [
    pytest.param(UNIT, Level.OK, "", id="good"),
    pytest.param({}, Level.ODD, "install", id="none"),
    pytest.param({**UNIT, "ActiveState": "failed"}, Level.BAD, "journalctl", id="failed"),
    pytest.param({**UNIT, "ActiveState": "inactive"}, Level.ODD, "start", id="stopped"),
    pytest.param({**UNIT, "UnitFileState": "disabled"}, Level.BAD, "enable", id="disabled"),
]


@pytest.mark.parametrize(("unit", "level", "fix"), UNITS)
def test_a_service_that_does_not_come_back_by_itself_is_told(
    unit: Mapping[str, str], level: Level, fix: str
) -> None:
    found = worst(unit_verdicts(unit))
    assert found.level is level
    assert fix in found.fix


@pytest.mark.parametrize(("days", "level"), [(30, Level.OK), (29, Level.ODD), (-1, Level.ODD)])
def test_a_certificate_is_told_a_month_before_its_end(days: int, level: Level) -> None:
    assert expiry_verdict(1_800_000_000 + days * 86_400.0, now_s=1_800_000_000).level is level


MOUNTS = """\
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,data=ordered
30 27 0:25 / /var\\040x rw - tmpfs tmpfs rw
31 27 8:1 / /var rw,noatime - xfs /dev/sda1 rw,attr2
nonsense
"""


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/var/lib/edge-agent", ("/var", "xfs", ("rw", "noatime", "attr2"), "/dev/sda1")),
        ("/varnish", ("/", "ext4", ("rw", "relatime", "data=ordered"), "/dev/vda")),
        ("/var x/a", ("/var x", "tmpfs", ("rw",), "tmpfs")),
    ],
)
def test_a_path_belongs_to_the_nearest_mount_point(path: str, found: tuple[object, ...]) -> None:
    assert mounted_at(MOUNTS, Path(path)) == found


def test_nothing_is_bad_without_a_remedy() -> None:
    with pytest.raises(ValueError, match="nothing said that mends it"):
        bad("disk", "broken", "")
