"""Where an archive stands: a folder, or a tar file as `central-sync archive export` writes it."""

import io
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from central_sync.proofs.archive import TAR_BLOCK, tar_header
from edge_agent.wire.refusal import Code, RefusedError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer as Buffer


class Source(Protocol):
    """Files by name."""

    def names(self) -> frozenset[str]:
        """Return the names of all files, with `/` between their parts."""
        ...

    def open(self, name: str) -> BinaryIO:
        """Open a file; the caller closes it."""
        ...


@dataclass(frozen=True, slots=True)
class FolderSource:
    """An archive as a folder."""

    folder: Path

    def names(self) -> frozenset[str]:
        """Return the names of all files.

        Raises:
            RefusedError: FRAME: something else than files and folders.

        """
        found: set[str] = set()
        for path in self.folder.rglob("*"):
            name = path.relative_to(self.folder).as_posix()
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                raise RefusedError(Code.FRAME, f"{name} is neither a file nor a folder")
            if path.is_file():
                found.add(name)
        return frozenset(found)

    def open(self, name: str) -> BinaryIO:
        """Open a file; the caller closes it."""
        return (self.folder / name).open("rb")


class TarSource:
    """An archive as a tar file, every byte of whose framing is held to the one way to write it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._places = _places(path)

    def names(self) -> frozenset[str]:
        """Return the names of all files."""
        return frozenset(self._places)

    def open(self, name: str) -> BinaryIO:
        """Open a file; the caller closes it."""
        return io.BufferedReader(_Part(self._path, *self._places[name]))


class _Part(io.RawIOBase):
    """A part of a file."""

    def __init__(self, path: Path, start: int, size: int) -> None:
        super().__init__()
        self._file = path.open("rb")
        self._file.seek(start)
        self._left = size

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def readinto(self, buffer: "Buffer", /) -> int:
        """Fill a buffer as far as the part goes; return how far."""
        view = memoryview(buffer)
        found = self._file.read(min(len(view), self._left))
        view[: len(found)] = found
        self._left -= len(found)
        return len(found)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()


def source_of(path: Path) -> Source:
    """Return the archive at a path.

    Raises:
        OSError: it cannot be read.
        RefusedError: FRAME: it is no archive.

    """
    return FolderSource(path) if path.is_dir() else TarSource(path)


def _places(path: Path) -> dict[str, tuple[int, int]]:
    """Return where each file of a tar file begins, and its size."""
    places: dict[str, tuple[int, int]] = {}
    with path.open("rb") as file:
        while any(head := file.read(TAR_BLOCK)):
            name, size = _member(head)
            if name in places:
                raise RefusedError(Code.FRAME, f"tar: {name} stands there twice")
            places[name] = (file.tell(), size)
            file.seek(size, io.SEEK_CUR)
            padding = -size % TAR_BLOCK
            if file.read(padding) != bytes(padding):
                raise RefusedError(Code.FRAME, f"tar: {name} is not followed by zeros, or cut off")
        if head + file.read(TAR_BLOCK + 1) != bytes(2 * TAR_BLOCK):
            raise RefusedError(Code.FRAME, "tar: the end must be two blocks of zeros")
    return places


def _member(head: bytes) -> tuple[str, int]:
    """Return name and size of the file that a header announces."""
    try:
        member = tarfile.TarInfo.frombuf(head, "utf-8", "strict")
    except (tarfile.HeaderError, UnicodeDecodeError, ValueError) as fault:
        raise RefusedError(Code.FRAME, f"tar: a header that cannot be read: {fault}") from fault
    try:
        expected = tar_header(member.name, member.size)
    except (ValueError, UnicodeError) as fault:
        raise RefusedError(Code.FRAME, f"tar: {member.name!r}: {fault}") from fault
    if expected != head:
        raise RefusedError(
            Code.FRAME, f"tar: the header of {member.name!r} is not as it is written"
        )
    return member.name, member.size
