"""Facts about this machine: its disk, ports, users and time zone. Reads, and changes nothing."""

import grp
import os
import pwd
import stat
from collections.abc import Iterable
from pathlib import Path

from edge_agent.technician.diagnosis import WEAR, Disk, Port, mounted_at


def disk_of(buffer: Path) -> Disk | None:
    """Return where a buffer is, or will be; None where its folder is not there or not ours."""
    folder = buffer.parent.resolve()
    try:
        space = os.statvfs(folder)
        found = mounted_at(Path("/proc/self/mountinfo").read_text(encoding="utf-8"), folder)
    except OSError:
        return None
    if found is None:
        return None
    mount, kind, options, source = found
    block = _block_device(folder)
    return Disk(
        mount=mount,
        kind=kind,
        options=options,
        source=source,
        medium=_medium(block),
        wear={name: _word(block / "device" / name) for name in WEAR} if block else {},
        free_bytes=space.f_bavail * space.f_frsize,
        buffer_bytes=sum(_size(buffer.with_name(buffer.name + end)) for end in ("", "-wal")),
    )


def _block_device(folder: Path) -> Path | None:
    """Return what sysfs knows of the disk, not of its partition; None where there is none."""
    number = folder.stat().st_dev
    device = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}")
    if not device.exists():
        return None
    device = device.resolve()
    return device.parent if (device / "partition").exists() else device


def _medium(block: Path | None) -> str:
    if block is None:
        return ""
    kind = _word(block / "device" / "type")
    if kind in {"SD", "MMC"}:
        return kind
    spinning = _word(block / "queue" / "rotational")
    return {"0": "SSD", "1": "disk"}.get(spinning, "")


def _word(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def agent_user(unit_user: str) -> str:
    """Return who the agent runs as: the user of its unit, else whoever asks."""
    if unit_user:
        return unit_user
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def owner_of(path: Path) -> str:
    """Return whose a file is; empty where there is none, or nobody may look."""
    try:
        return pwd.getpwuid(path.stat().st_uid).pw_name
    except (OSError, KeyError):
        return ""


def may_use(path: Path, user: str) -> bool:
    """Return whether a user may read and write what is there."""
    try:
        return _is_open(path.stat(), user)
    except OSError:
        return False


def serial_ports(paths: Iterable[str], *, user: str) -> tuple[Port, ...]:
    """Return what there is to know of some serial ports."""
    return tuple(_port(path, user) for path in dict.fromkeys(paths))


def _port(path: str, user: str) -> Port:
    try:
        status = Path(path).stat()
    except OSError:
        return Port(path=path, is_there=False, group="", is_open_to_user=False)
    return Port(
        path=path,
        is_there=stat.S_ISCHR(status.st_mode),
        group=_group(status.st_gid),
        is_open_to_user=may_use(Path(path), user),
    )


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def _is_open(status: os.stat_result, user: str) -> bool:
    """Return whether a user may read and write a file of this mode and owner."""
    try:
        account = pwd.getpwnam(user)
    except KeyError:
        return False
    if account.pw_uid == 0:
        return True
    if account.pw_uid == status.st_uid:
        wanted = stat.S_IRUSR | stat.S_IWUSR
    elif status.st_gid in os.getgrouplist(user, account.pw_gid):
        wanted = stat.S_IRGRP | stat.S_IWGRP
    else:
        wanted = stat.S_IROTH | stat.S_IWOTH
    return status.st_mode & wanted == wanted


def time_zone() -> str:
    """Return the name of the machine's time zone; empty where it has none."""
    zone = _word(Path("/etc/timezone"))
    target = str(Path("/etc/localtime").resolve())
    _, _, name = target.partition("zoneinfo/")
    return name or zone
