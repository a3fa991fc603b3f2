"""One zstd frame around a payload; everything about the frame is checked before it is unpacked.

The compressed bytes are not signed: they may be made anew at any level (docs/wire-format.md
section 3).
"""

from typing import Final

import zstandard

from edge_agent.wire.refusal import Code, RefusedError

MAX_WINDOW: Final = 8 * 1024 * 1024
"""Bytes (docs/wire-format.md section 3)."""

_MAGIC: Final = bytes.fromhex("28b52ffd")
# RFC 8878 section 3.1.1.1.1: the byte behind the magic; section 3.1.1.2: before each block.
_DESCRIPTOR_AT: Final = 4
_DICTIONARY_FLAG: Final = 0b11
_CHECKSUM_SIZE: Final = 4
_BLOCK_HEADER_SIZE: Final = 3
_RLE_BLOCK: Final = 1
_RESERVED_BLOCK: Final = 3


def compress(payload: bytes, level: int = 3) -> bytes:
    """Return the payload as one zstd frame with its content size."""
    return zstandard.ZstdCompressor(level=level, write_content_size=True).compress(payload)


def decompress(body: bytes, payload_len: int) -> bytes:
    """Return the payload in a body; at most payload_len bytes are ever unpacked.

    Raises:
        RefusedError: ZSTD: the body is not exactly one frame of the allowed kind and size.

    """
    _require_frame(body, payload_len)
    try:
        payload = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW).decompress(
            body, max_output_size=payload_len, allow_extra_data=False
        )
    except zstandard.ZstdError as error:
        raise RefusedError(Code.ZSTD, f"cannot be unpacked: {error}") from error
    if len(payload) != payload_len:
        raise RefusedError(Code.ZSTD, f"{len(payload)} bytes unpacked, must be {payload_len}")
    return payload


def _require_frame(body: bytes, payload_len: int) -> None:
    if not body.startswith(_MAGIC):
        raise RefusedError(Code.ZSTD, "no zstd frame: magic 28b52ffd is missing")
    try:
        frame = zstandard.get_frame_parameters(body)
        start = zstandard.frame_header_size(body)
    except zstandard.ZstdError as error:
        raise RefusedError(Code.ZSTD, f"bad frame header: {error}") from error
    if frame.content_size != payload_len:
        raise RefusedError(Code.ZSTD, f"content size must be there and be {payload_len}")
    if body[_DESCRIPTOR_AT] & _DICTIONARY_FLAG:
        raise RefusedError(Code.ZSTD, "a dictionary is asked for")
    if frame.window_size > MAX_WINDOW:
        raise RefusedError(Code.ZSTD, f"window of {frame.window_size}, at most {MAX_WINDOW}")
    end = _last_block_end(body, start) + _CHECKSUM_SIZE * frame.has_checksum
    if end != len(body):
        raise RefusedError(Code.ZSTD, f"the frame ends at {end}, the body at {len(body)}")


def _last_block_end(body: bytes, start: int) -> int:
    """Return where the last block ends, by the block headers alone (RFC 8878 section 3.1.1.2)."""
    while start + _BLOCK_HEADER_SIZE <= len(body):
        head = int.from_bytes(body[start : start + _BLOCK_HEADER_SIZE], "little")
        is_last, kind, size = head & 1, head >> 1 & 3, head >> 3
        if kind == _RESERVED_BLOCK:
            raise RefusedError(Code.ZSTD, f"reserved block type at {start}")
        start += _BLOCK_HEADER_SIZE + (1 if kind == _RLE_BLOCK else size)
        if is_last:
            return start
    raise RefusedError(Code.ZSTD, "the last block is missing")
