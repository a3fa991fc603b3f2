"""What facts about a machine mean for a gateway; pure. `machine` and `reaching` find the facts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from edge_agent.clock import Trust
from edge_agent.technician.verdicts import Verdict, bad, odd, ok

MB: Final = 1_000_000
# Free space that should stay for the log, the system and the file's own growth.
SPARE_MB: Final = 64
# File systems that keep what was flushed over a power cut, with the options Linux gives them.
DURABLE: Final = frozenset({"ext4", "ext3", "xfs", "btrfs", "f2fs"})
VOLATILE: Final = frozenset({"tmpfs", "ramfs", "overlay", "squashfs"})
# mount(8), ext4: data=writeback may show old bytes in a file after a power cut, barrier=0 and
# nobarrier let the disk reorder what was flushed.
RISKY_OPTIONS: Final = ("data=writeback", "barrier=0", "nobarrier")
PROXIES: Final = ("http_proxy", "https_proxy", "all_proxy")
CERTIFICATE_DAYS: Final = 30
WEAR: Final = ("life_time", "pre_eol_info")


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """Where the buffer is.

    Attributes:
        mount: the mount point.
        kind: of the file system.
        options: it is mounted with.
        source: the device.
        medium: what the kernel calls the device: SD, MMC, disk or SSD; empty: not known.
        wear: what the device says about its age, by name of the file in sysfs.
        free_bytes: for the agent.
        buffer_bytes: what the buffer takes already.

    """

    mount: str
    kind: str
    options: tuple[str, ...]
    source: str
    medium: str
    wear: Mapping[str, str]
    free_bytes: int
    buffer_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A serial port that a device needs.

    Attributes:
        path: of the port.
        is_there: whether there is one.
        group: that may use it; empty: none.
        is_open_to_user: whether the agent's user may read and write it.

    """

    path: str
    is_there: bool
    group: str
    is_open_to_user: bool


def clock_verdict(trust: Trust, *, year: int) -> Verdict:
    """Return whether the wall clock can be believed."""
    fix = "timedatectl set-ntp true, or install chrony and give it a server it can reach"
    if trust.error_ms is not None:
        return ok("clock", f"synchronised, off by {trust.error_ms} ms at most")
    if year < 2026:
        return bad("clock", f"shows the year {year}: it was never set", fix)
    return bad("clock", "nothing keeps it right: its error is not known", fix)


def zone_verdict(zone: str) -> Verdict:
    """Return what the time zone of the machine means: nothing for readings."""
    if zone in {"", "UTC", "Etc/UTC"}:
        return ok("timezone", "UTC")
    return ok("timezone", f"{zone}; readings, events and log lines are in UTC all the same")


def disk_verdicts(disk: Disk, *, quota_mb: int) -> Iterator[Verdict]:
    """Return whether what is committed stays, and whether there is room for it."""
    where = f"{disk.mount} is {disk.kind} on {disk.source}"
    remedy = "put buffer.path on an ext4 file system of a disk"
    if disk.kind in VOLATILE:
        yield bad("disk", f"{where}: gone after a power cut", remedy)
    elif disk.kind not in DURABLE:
        yield bad("disk", f"{where}: not known to keep what was flushed", remedy)
    else:
        yield ok("disk", f"{where}{f', {disk.medium}' if disk.medium else ''}")
    if "ro" in disk.options:
        yield bad(
            "disk",
            "mounted read-only: nothing can be stored",
            f"look at dmesg for its errors; then mount -o remount,rw {disk.mount}",
        )
    risky = [option for option in disk.options if option in RISKY_OPTIONS]
    if risky:
        yield bad(
            "disk",
            f"mounted with {', '.join(risky)}: a power cut may damage what was stored",
            f"take it from the options of {disk.mount} in /etc/fstab, then restart",
        )
    yield from _wear_verdicts(disk)
    yield _space_verdict(disk, quota_mb=quota_mb)


def _wear_verdicts(disk: Disk) -> Iterator[Verdict]:
    """Return how worn a flash device is.

    Source: Linux Documentation/driver-api/mmc/mmc-dev-attrs: life_time in steps of 10 % (0x0b is
    beyond the end), pre_eol_info 0x02 when 80 % of the spare blocks are used, 0x03 when 90 %.
    """
    ages = [_hexadecimal(word) for word in disk.wear.get("life_time", "").split()]
    spare = _hexadecimal(disk.wear.get("pre_eol_info", ""))
    said = ", ".join(f"{name} {disk.wear[name]}" for name in WEAR if disk.wear.get(name))
    if max(ages, default=0) >= 0x0A or spare >= 2:
        yield bad("wear", f"{disk.source} is near its end: {said}", "replace the card or module")
    elif said:
        yield ok("wear", said)
    elif disk.medium == "SD":
        yield odd(
            "wear",
            f"{disk.source} is an SD card, which does not tell its age",
            "use an SSD or an industrial card where readings must last",
        )


def _hexadecimal(word: str) -> int:
    """Return a number of sysfs; 0, which means not defined, where it is none."""
    try:
        return int(word, 16)
    except ValueError:
        return 0


def _space_verdict(disk: Disk, *, quota_mb: int) -> Verdict:
    free_mb, buffer_mb = disk.free_bytes // MB, disk.buffer_bytes // MB
    needed_mb = max(0, quota_mb - buffer_mb) + SPARE_MB
    says = f"{free_mb} MB free; the buffer has {buffer_mb} of the {quota_mb} MB of its quota"
    if free_mb >= needed_mb:
        return ok("space", says)
    fix = f"free {needed_mb - free_mb} MB on {disk.mount}, or lower buffer.quota_mb"
    return bad("space", says, fix)


def port_verdicts(
    ports: Sequence[Port], *, user: str, unit: Mapping[str, str]
) -> Iterator[Verdict]:
    """Return whether the agent may use the serial ports of its devices.

    Args:
        ports: those of the configuration.
        user: that the agent runs as.
        unit: PrivateDevices of the agent's unit; empty where there is none.

    """
    if not ports:
        yield ok("serial", "no device needs a serial port")
    for port in ports:
        if not port.is_there:
            yield bad(
                "serial",
                f"there is no {port.path}",
                "plug the adapter in, or correct the endpoint: ls -l /dev/serial/by-id",
            )
        elif not port.is_open_to_user:
            group = port.group or "dialout"
            yield bad(
                "serial",
                f"{user} may not use {port.path} of group {group}",
                f"usermod -aG {group} {user}, then restart the agent",
            )
        elif unit.get("PrivateDevices") == "yes":
            yield bad(
                "serial",
                f"the service unit hides {port.path} from the agent",
                "`install --serial` of the wheelhouse, or systemctl edit edge-agent: "
                f"PrivateDevices=no, DeviceAllow={port.path} rw, SupplementaryGroups={port.group}",
            )
        else:
            yield ok("serial", f"{user} may use {port.path}")


def proxy_verdict(environ: Mapping[str, str]) -> Verdict:
    """Return what proxy variables mean: the agent uses none."""
    found = sorted(name for name in environ if name.lower() in PROXIES and environ[name])
    if not found:
        return ok("proxy", "none is set")
    return odd(
        "proxy",
        f"{', '.join(found)} set: the agent uses no proxy",
        "let the centre's address be reached directly; nothing to do where it already is",
    )


def expiry_verdict(not_after_s: float, *, now_s: float) -> Verdict:
    """Return how long the certificate of the centre lasts."""
    days = int((not_after_s - now_s) // 86_400)
    date = datetime.fromtimestamp(not_after_s, UTC).date()
    if days < CERTIFICATE_DAYS:
        return odd("uplink", f"the centre's certificate ends on {date}", "tell the central team")
    return ok("uplink", f"the centre's certificate is good until {date}")


def unit_verdicts(unit: Mapping[str, str]) -> Iterator[Verdict]:
    """Return how the service is, by properties of its unit; none: there is no service manager.

    Source: org.freedesktop.systemd1(5), LoadState, ActiveState, UnitFileState, NRestarts, Result.
    """
    if unit.get("LoadState", "not-found") == "not-found":
        yield odd(
            "service",
            "no unit edge-agent.service: nothing starts the agent after a power cut",
            "run `install` of the wheelhouse (docs/installation.md section 3)",
        )
        return
    state, result = unit.get("ActiveState", ""), unit.get("Result", "")
    if state == "failed":
        fix = "journalctl -u edge-agent -n 50, mend it, systemctl start edge-agent"
        yield bad("service", f"failed: {result}", fix)
    elif state == "active":
        yield ok("service", f"active, restarted {unit.get('NRestarts', '0')} times by itself")
    else:
        yield odd("service", f"is {state or 'not known'}", "systemctl start edge-agent")
    if unit.get("UnitFileState") not in {"enabled", "enabled-runtime", "static"}:
        fix = "systemctl enable edge-agent"
        yield bad("service", "not enabled: nothing starts it after a power cut", fix)


def environment_of(unit: Mapping[str, str]) -> dict[str, str]:
    """Return the environment that a unit gives, from its property of that name."""
    pairs = (word.partition("=") for word in unit.get("Environment", "").split())
    return {name: value for name, _, value in pairs}


def mounted_at(mountinfo: str, path: Path) -> tuple[str, str, tuple[str, ...], str] | None:
    """Return mount point, kind, options and source of the file system that holds a path.

    Source: proc_pid_mountinfo(5): fields up to a dash, then kind, source and super options.
    """
    best: tuple[str, str, tuple[str, ...], str] | None = None
    for line in mountinfo.splitlines():
        before, dash, after = line.partition(" - ")
        left, right = before.split(), after.split()
        if not dash or len(left) < 6 or len(right) < 3:
            continue
        point = left[4].replace("\\040", " ")
        longer = best is None or len(point) >= len(best[0])
        if longer and path.is_relative_to(point):
            options = tuple(dict.fromkeys((*left[5].split(","), *right[2].split(","))))
            best = (point, right[0], options, right[1])
    return best
