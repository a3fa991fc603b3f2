"""Facts about the machine that a copy of its storage does not take along: read, never believed.

A fact that cannot be read is left out. Which of them changed since the last start is told as a
signed event, so that a copied card, a replaced board and a moved disk can be told apart.
"""

from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Final

# What the machine's id is hashed with: machine-id(5) asks that it is shown to nobody as it is.
MACHINE_CONTEXT: Final = b"EmissionWatch machine id v1\x00"
# No fact is longer; what is there instead is none.
LONGEST_FACT: Final = 256
# addr_assign_type of an address that the maker gave (Linux, ABI/testing/sysfs-class-net).
PERMANENT: Final = "0"


def hardware_facts(storage: Path, root: Path = Path("/")) -> dict[str, str]:
    """Return what is known of the machine, by the names of docs/wire-format.md section 10.

    Args:
        storage: a folder on the file system whose id is wanted.
        root: of the system's own files.

    """
    facts = {
        "soc_serial": _text(root / "proc/device-tree/serial-number"),
        "machine_id": _hashed(_text(root / "etc/machine-id")),
        "mac": ",".join(sorted(_addresses(root / "sys/class/net"))),
        "cid": ",".join(sorted(_card_ids(root / "sys/block"))),
        "fs_uuid": _file_system_id(root / "dev/disk/by-uuid", storage),
    }
    return {name: fact for name, fact in facts.items() if fact}


def _text(path: Path) -> str:
    """Return a short file's text without ends of line and of string; empty where there is none."""
    with suppress(OSError), path.open("rb") as file:
        content = file.read(LONGEST_FACT + 1).strip(b"\0\n ")
        if len(content) <= LONGEST_FACT and content.isascii():
            return content.decode("ascii")
    return ""


def _hashed(machine_id: str) -> str:
    if not machine_id:
        return ""
    return sha256(MACHINE_CONTEXT + machine_id.encode()).hexdigest()[:32]


def _addresses(interfaces: Path) -> Iterator[str]:
    """Yield the permanent addresses of devices: no bridges, no tunnels, no random ones."""
    for interface in _entries(interfaces):
        is_device = (interface / "device").exists()
        if is_device and _text(interface / "addr_assign_type") == PERMANENT:
            yield _text(interface / "address")


def _card_ids(blocks: Path) -> Iterator[str]:
    """Yield the ids that makers of SD cards and eMMCs gave (mmc-dev-attrs: cid)."""
    for block in _entries(blocks):
        if block.name.startswith("mmcblk") and (cid := _text(block / "device/cid")):
            yield cid


def _file_system_id(links: Path, storage: Path) -> str:
    """Return the UUID of the file system that holds a folder, by the links that udev makes."""
    with suppress(OSError):
        device = storage.stat().st_dev
        for link in _entries(links):
            with suppress(OSError):
                if link.stat().st_rdev == device:
                    return link.name
    return ""


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []
