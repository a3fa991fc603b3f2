"""One zstd frame around a payload; its header is held to the rules before anything is unpacked.

The compressed bytes are not signed: they may be made anew at any level (docs/wire-format.md
section 3). What is unpacked never exceeds what the signed header announces.
"""

from typing import Final

import zstandard

from edge_agent.wire.refusal import Code, RefusedError

MAX_WINDOW: Final = 8 * 1024 * 1024
"""Bytes (docs/wire-format.md section 3)."""

SMALL_PAYLOAD: Final = 32 * 1024
"""Bytes: about ten seconds of sixty channels, the usual batch."""

_MAGIC: Final = bytes.fromhex("28b52ffd")
# RFC 8878 section 3.1.1.1.1: the byte behind the magic; 3.1.1.2: a block's type, and its size.
_DESCRIPTOR_AT: Final = 4
_DICTIONARY_FLAG: Final = 0b11
_SINGLE_SEGMENT_SIZE_IN_4_BYTES: Final = b"\xa0"
_MAX_BLOCK: Final = 128 * 1024

# Ten seconds of 12-bit registers of sixty channels take 4.09 bytes a reading so, 4.26 at level 3,
# for 0.6 ms instead of 0.03 ms. The same search costs 13 ms on the batch of a minute: not worth it.
_THOROUGH: Final = zstandard.ZstdCompressionParameters(
    window_log=15,
    chain_log=15,
    hash_log=15,
    search_log=2,
    min_match=6,
    target_length=16,
    strategy=zstandard.STRATEGY_BTULTRA,
)
_LEVEL: Final = 3


def compress(payload: bytes) -> bytes:
    """Return the payload as one zstd frame with its content size."""
    if len(payload) <= SMALL_PAYLOAD:
        return zstandard.ZstdCompressor(compression_params=_THOROUGH).compress(payload)
    return zstandard.ZstdCompressor(level=_LEVEL).compress(payload)


def stored(payload: bytes) -> bytes:
    """Return the payload as one zstd frame of raw blocks.

    The same batch, for a sender that compresses several of them together around their frames.
    """
    blocks: list[bytes] = []
    for start in range(0, len(payload), _MAX_BLOCK):
        block = payload[start : start + _MAX_BLOCK]
        is_last = start + _MAX_BLOCK >= len(payload)
        blocks += ((len(block) << 3 | is_last).to_bytes(3, "little"), block)
    size = len(payload).to_bytes(4, "little")
    return b"".join((_MAGIC, _SINGLE_SEGMENT_SIZE_IN_4_BYTES, size, *blocks))


def decompress(body: bytes, payload_len: int) -> bytes:
    """Return the payload in a body; at most payload_len bytes are ever unpacked.

    Raises:
        RefusedError: ZSTD: the body is not exactly one frame of the allowed kind and size.

    """
    _require_frame(body, payload_len)
    try:
        # The library holds a frame to the content size that it announces, which is payload_len. It
        # also finds what stands behind the frame: walking its blocks here, before, would let a
        # body of a million empty blocks keep an interpreter busy for more than a second.
        return zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW).decompress(
            body, allow_extra_data=False
        )
    except zstandard.ZstdError as error:
        raise RefusedError(Code.ZSTD, f"cannot be unpacked: {error}") from error


def _require_frame(body: bytes, payload_len: int) -> None:
    """Refuse by the header of the frame alone."""
    if not body.startswith(_MAGIC):
        raise RefusedError(Code.ZSTD, "no zstd frame: magic 28b52ffd is missing")
    try:
        frame = zstandard.get_frame_parameters(body)
    except zstandard.ZstdError as error:
        raise RefusedError(Code.ZSTD, f"bad frame header: {error}") from error
    if frame.content_size != payload_len:
        raise RefusedError(Code.ZSTD, f"content size must be there and be {payload_len}")
    if body[_DESCRIPTOR_AT] & _DICTIONARY_FLAG:
        raise RefusedError(Code.ZSTD, "a dictionary is asked for")
    if frame.window_size > MAX_WINDOW:
        raise RefusedError(Code.ZSTD, f"window of {frame.window_size}, at most {MAX_WINDOW}")
