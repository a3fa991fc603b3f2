"""Frames: how batches and receipts stand one after another in a request or in a file.

Nothing in a frame's own eight bytes is signed. A frame knows neither what its header says nor
whether its body is what was signed (docs/wire-format.md section 3).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntFlag
from typing import Final, TypeAlias

from edge_agent.wire.header import HEADER_SIZE
from edge_agent.wire.receipt import RECEIPT_SIZE
from edge_agent.wire.refusal import Code, RefusedError
from edge_agent.wire.signing import SIGNATURE_SIZE

MEDIA_TYPE: Final = "application/vnd.emissionwatch.ewp1"
MAX_FRAMES: Final = 256
MAX_REQUEST: Final = 8 * 1024 * 1024
"""Frames and bytes of one request (docs/wire-format.md section 12)."""

_LENGTH: Final = struct.Struct("<I")
_FLAGS: Final = struct.Struct("<I")


class FrameFlag(IntFlag):
    """What a frame holds, and what the sender says of the batches before it."""

    HEADSTONE = 1
    RECEIPT = 2
    HOLDS_NONE_BEFORE = 4
    BEFORE_FOLLOWS_LATER = 8


_KNOWN: Final = frozenset((0, 1, 2, 4, 5, 8, 9))


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFrame:
    """One batch as stored or sent; body is a zstd frame or what is left of a headstone."""

    flags: FrameFlag
    header_bytes: bytes
    signature: bytes
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptFrame:
    """One receipt, 185 bytes."""

    receipt_bytes: bytes


Frame: TypeAlias = BatchFrame | ReceiptFrame


def encode_batch(frame: BatchFrame) -> bytes:
    """Return the frame's bytes."""
    return _framed(frame.flags, frame.header_bytes + frame.signature + frame.body)


def encode_receipt(receipt_bytes: bytes) -> bytes:
    """Return the frame of one receipt."""
    return _framed(FrameFlag.RECEIPT, receipt_bytes)


def frames(request: bytes) -> Iterator[Frame]:
    """Yield the frames of a request in order.

    Raises:
        RefusedError: FRAME: at the first bad frame, after those before it were yielded.

    """
    start = count = 0
    while start < len(request):
        count += 1
        if count > MAX_FRAMES:
            raise RefusedError(Code.FRAME, f"more than {MAX_FRAMES} frames")
        if len(request) - start < _LENGTH.size:
            raise RefusedError(Code.FRAME, f"length of frame {count - 1} is cut off")
        (length,) = _LENGTH.unpack_from(request, start)
        start += _LENGTH.size
        if length > len(request) - start:
            raise RefusedError(
                Code.FRAME, f"frame {count - 1} is {length} bytes, {len(request) - start} left"
            )
        yield _frame(request[start : start + length])
        start += length


def _framed(flags: FrameFlag, content: bytes) -> bytes:
    return _LENGTH.pack(_FLAGS.size + len(content)) + _FLAGS.pack(flags) + content


def _frame(content: bytes) -> Frame:
    """Return the frame in what follows its length."""
    if len(content) < _FLAGS.size:
        raise RefusedError(Code.FRAME, f"{len(content)} bytes, too short for flags")
    (flags,) = _FLAGS.unpack_from(content)
    if flags not in _KNOWN:
        raise RefusedError(Code.FRAME, f"flags are {flags:#x}: unknown, or not together")
    rest = content[_FLAGS.size :]
    if flags == FrameFlag.RECEIPT:
        if len(rest) != RECEIPT_SIZE:
            raise RefusedError(Code.FRAME, f"a receipt of {len(rest)} bytes, not {RECEIPT_SIZE}")
        return ReceiptFrame(receipt_bytes=rest)
    signature_end = HEADER_SIZE + SIGNATURE_SIZE
    if len(rest) < signature_end:
        raise RefusedError(Code.FRAME, f"a batch of {len(rest)} bytes, at least {signature_end}")
    return BatchFrame(
        flags=FrameFlag(flags),
        header_bytes=rest[:HEADER_SIZE],
        signature=rest[HEADER_SIZE:signature_end],
        body=rest[signature_end:],
    )
