"""Records every block write and flush below a real file system: what a disk would have seen.

A FUSE file system shows one file, `disk`, for a loop device to sit on; the loop driver turns the
block layer's FLUSH and FUA into fsync(2), so ordered writes and cache flushes arrive here as they
are. A second file, `mark`, takes one-line marks into the same total order.

usage: blkrec.py MOUNTPOINT IMAGE LOG      (in the foreground, until it is unmounted)
Writes LOG.idx, one JSON object a line: {"t":"W","o":offset,"n":bytes,"p":place in LOG.dat},
{"t":"F"} for a flush, {"t":"M","m":text} for a mark; and LOG.dat, the written bytes.
"""

# ruff: noqa: ARG002 - FUSE hands over more than one disk and one mark need

import errno
import json
import os
import stat
import sys
from pathlib import Path
from typing import Final

import mfusepy

DISK: Final = "/disk"
MARK: Final = "/mark"
HANDLE: Final = 1


class Recorder(mfusepy.Operations):  # type: ignore[misc] # mfusepy is untyped
    """One disk image. Single-threaded on purpose: the order of the log is the order of events."""

    use_ns = True

    def __init__(self, image: Path, log: Path) -> None:
        self._image = os.open(image, os.O_RDWR)
        self._size = os.fstat(self._image).st_size
        self._index = log.with_suffix(".idx").open("w", buffering=1 << 16, encoding="utf-8")
        self._bytes = log.with_suffix(".dat").open("wb", buffering=1 << 20)
        self._place = 0

    def getattr(self, path: str, fh: int | None = None) -> dict[str, int]:
        """Return the attributes of the folder and of its two files."""
        found = {
            "/": (stat.S_IFDIR | 0o755, 2, 0),
            DISK: (stat.S_IFREG | 0o600, 1, self._size),
            MARK: (stat.S_IFREG | 0o622, 1, 0),
        }
        if path not in found:
            raise mfusepy.FuseOSError(errno.ENOENT)
        mode, links, size = found[path]
        return {"st_mode": mode, "st_nlink": links, "st_size": size}

    def readdir(self, path: str, fh: int) -> list[str]:
        """Return the names in the only folder."""
        return [".", "..", DISK[1:], MARK[1:]]

    def open(self, path: str, flags: int) -> int:
        """Return the one handle there is."""
        return HANDLE

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        """Allow a shell to open the mark with `>`."""
        return 0

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        """Return bytes of the disk."""
        return os.pread(self._image, size, offset) if path == DISK else b""

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        """Write to the disk and log it, or log a mark."""
        if path == MARK:
            self._log({"t": "M", "m": data.decode("utf-8", "replace").strip()})
            return len(data)
        os.pwrite(self._image, data, offset)
        self._bytes.write(data)
        self._log({"t": "W", "o": offset, "n": len(data), "p": self._place})
        self._place += len(data)
        return len(data)

    def flush(self, path: str, fh: int) -> int:
        """Close of a file: no promise to anybody."""
        return 0

    def fsync(self, path: str, datasync: int, fh: int) -> int:
        """Log a flush of the disk's cache."""
        if path == DISK:
            self._log({"t": "F"})
        return 0

    def destroy(self, path: str) -> None:
        """Complete the log when the file system is unmounted."""
        self._index.close()
        self._bytes.close()

    def _log(self, event: dict[str, str | int]) -> None:
        self._index.write(json.dumps(event, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    mountpoint, image_name, log_name = sys.argv[1:4]
    mfusepy.FUSE(
        Recorder(Path(image_name), Path(log_name)), mountpoint, foreground=True, nothreads=True
    )
