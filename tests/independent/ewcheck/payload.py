"""A stored body: exactly one zstd frame, and the two parts of what it unpacks to.

Rules of docs/wire-format.md sections 3 and 4; the frame is walked by hand (RFC 8878 section 3.1)
before the library unpacks it, so that nothing stands before, between or behind.
"""

from __future__ import annotations

import hashlib
import struct

import zstandard

from ewcheck.faults import InvalidError

MAGIC = bytes.fromhex("28b52ffd")
MAX_WINDOW = 8 << 20


def unpacked(body: bytes, payload_len: int, payload_sha256: bytes) -> bytes:
    """Return the payload of `body`; InvalidError if it is not the one that was signed."""
    _check_frame(body, payload_len)
    try:
        payload = zstandard.ZstdDecompressor().decompress(body, max_output_size=payload_len)
    except zstandard.ZstdError as error:
        raise InvalidError(f"zstd: {error}") from error
    if len(payload) != payload_len:
        raise InvalidError(f"zstd: {len(payload)} bytes, header says {payload_len}")
    if hashlib.sha256(payload).digest() != payload_sha256:
        raise InvalidError("payload: its hash is not the header's")
    return payload


def parts(payload: bytes) -> tuple[bytes, bytes]:
    """Return the readings and the events of a payload."""
    readings, rest = _prefixed(payload, "readings")
    events, rest = _prefixed(rest, "events")
    if rest:
        raise InvalidError(f"parts: {len(rest)} bytes behind the events")
    if not readings and not events:
        raise InvalidError("parts: neither a row nor an event")
    return readings, events


def _prefixed(of: bytes, name: str) -> tuple[bytes, bytes]:
    """Return what a u32 length announces, and what stands behind it."""
    if len(of) < 4:
        raise InvalidError(f"parts: no length of the {name}")
    (length,) = struct.unpack_from("<I", of)
    if length > len(of) - 4:
        raise InvalidError(f"parts: {name} of {length} bytes in {len(of) - 4}")
    return of[4 : 4 + length], of[4 + length :]


def _check_frame(body: bytes, payload_len: int) -> None:
    """Raise InvalidError unless `body` is one zstd frame as section 3 wants it."""
    if body[:4] != MAGIC:
        raise InvalidError("zstd: no frame")
    try:
        content, window, at = _frame_header(body)
        end = _frame_end(body, at)
    except (IndexError, struct.error):
        raise InvalidError("zstd: the frame is cut off") from None
    if content != payload_len:
        raise InvalidError(f"zstd: content size {content}, header says {payload_len}")
    if window > MAX_WINDOW:
        raise InvalidError(f"zstd: a window of {window} bytes")
    if end != len(body):
        raise InvalidError(f"zstd: the frame ends at {end} of {len(body)}")


def _frame_header(body: bytes) -> tuple[int, int, int]:
    """Return content size, window size and where the blocks begin (RFC 8878 section 3.1.1.1)."""
    descriptor, at = body[4], 5
    is_single_segment = bool(descriptor & 0x20)
    if descriptor & 0x0B:
        raise InvalidError("zstd: a dictionary or a reserved bit")
    window = 0
    if not is_single_segment:
        base = 1 << (10 + (body[at] >> 3))
        window = base + base // 8 * (body[at] & 7)
        at += 1
    size_of_size = (1 if is_single_segment else 0, 2, 4, 8)[descriptor >> 6]
    if size_of_size == 0:
        raise InvalidError("zstd: no content size")
    if at + size_of_size > len(body):
        raise IndexError
    content = int.from_bytes(body[at : at + size_of_size], "little")
    content += 256 if size_of_size == 2 else 0
    return content, (content if is_single_segment else window), at + size_of_size


def _frame_end(body: bytes, at: int) -> int:
    """Return where the frame ends whose blocks begin at `at` (RFC 8878 section 3.1.1.2)."""
    is_last = False
    while not is_last:
        word = struct.unpack("<I", body[at : at + 3] + b"\0")[0]
        is_last, kind, size = bool(word & 1), word >> 1 & 3, word >> 3
        if kind == 3:
            raise InvalidError("zstd: a reserved block type")
        at += 3 + (1 if kind == 1 else size)
    at += 4 if body[4] & 4 else 0
    if at > len(body):
        raise IndexError
    return at
