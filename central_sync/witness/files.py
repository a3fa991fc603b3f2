"""Files of an archive: on the disk when it is said so, and packed in the one way there is."""

import os
import shutil
from pathlib import Path
from typing import BinaryIO

from central_sync.proofs.archive import TAR_BLOCK, tar_header


def put(path: Path, octets: bytes) -> None:
    """Write a file, and its folders; on return it is on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(octets)
        sync(file)


def pack(folder: Path, target: Path) -> None:
    """Write a folder as a tar file, each byte of whose framing can only be one."""
    with target.open("wb") as packed:
        for path in sorted(one for one in folder.rglob("*") if one.is_file()):
            size = path.stat().st_size
            packed.write(tar_header(path.relative_to(folder).as_posix(), size))
            with path.open("rb") as file:
                shutil.copyfileobj(file, packed)
            packed.write(bytes(-size % TAR_BLOCK))
        packed.write(bytes(2 * TAR_BLOCK))
        sync(packed)


def sync(file: BinaryIO) -> None:
    """Return when what was written is on the disk."""
    file.flush()
    os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Return when the names in a folder are on the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
