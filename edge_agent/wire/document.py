"""A bundle or a profile file, kept and sent compressed: known by the hash of what it unpacks to.

A bundle of 100,000 channels has 44 MB, and half of one as one zstd frame: nobody here holds more
than a piece of it unpacked.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import zstandard

from edge_agent.wire.refusal import Code, RefusedError
from edge_agent.wire.vocabulary import Hash

_LEVEL: Final = 3
# Bytes: what unpacking needs besides the piece, and what a piece has.
_MAX_WINDOW: Final = 8 * 1024 * 1024
_PIECE: Final = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """Bytes under their SHA-256, as one zstd frame that says how many they are."""

    digest: Hash
    packed: bytes

    @classmethod
    def of(cls, content: bytes) -> "Document":
        """Return these bytes as a document."""
        packed = zstandard.ZstdCompressor(level=_LEVEL).compress(content)
        return cls(digest=Hash(sha256(content).digest()), packed=packed)

    @property
    def size(self) -> int:
        """The number of bytes when unpacked.

        Raises:
            RefusedError: ZSTD: not a zstd frame that says so.

        """
        try:
            size = zstandard.frame_content_size(self.packed)
        except zstandard.ZstdError as error:
            raise RefusedError(Code.ZSTD, f"a document cannot be unpacked: {error}") from error
        if size < 0:
            raise RefusedError(Code.ZSTD, "a document does not say its size")
        return size

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes, a piece at a time.

        Raises:
            RefusedError: ZSTD: what was kept is damaged.

        """
        unpacking = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW)
        try:
            yield from unpacking.read_to_iter(self.packed, write_size=_PIECE)
        except zstandard.ZstdError as error:
            raise RefusedError(Code.ZSTD, f"a document cannot be unpacked: {error}") from error

    def verify(self) -> None:
        """Hold the bytes against their hash.

        Raises:
            RefusedError: ZSTD or PAYLOAD_HASH: not what was stored.

        """
        running = sha256()
        for piece in self.pieces():
            running.update(piece)
        if running.digest() != self.digest:
            raise RefusedError(Code.PAYLOAD, f"not the document {self.digest.hex()}")

    def content(self) -> bytes:
        """Return all the bytes at once: for documents that are known to be small."""
        return b"".join(self.pieces())
