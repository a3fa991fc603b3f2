"""Batches made ready to be compressed together: what they have in common is then sent once.

The compressed bytes are not signed and may be made anew (docs/wire-format.md section 3). Six
ten-second batches of a minute take about a quarter less so (docs/adr/0005-compression.md). Pure.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from edge_agent.wire.compression import decompress, stored
from edge_agent.wire.frame import FrameFlag
from edge_agent.wire.header import Header
from edge_agent.wire.refusal import RefusedError

if TYPE_CHECKING:
    from edge_agent.wire.frame import BatchFrame

# Uncompressed bytes of a request that is worth a thorough search: a minute of 60 channels. A
# backlog goes as it lies on the disk, in requests that are larger and cost nothing to make.
LARGEST_JOINT_BYTES: Final = 256 * 1024


def joined(frames: tuple[BatchFrame, ...]) -> tuple[BatchFrame, ...]:
    """Return frames whose payloads are stored uncompressed; as they are, where that is no gain."""
    # What is too large compressed is all the more so: a backlog's headers are not worth a look.
    if len(frames) < 2 or sum(len(frame.body) for frame in frames) > LARGEST_JOINT_BYTES:
        return frames
    sizes = [Header.unpack(frame.header_bytes).payload_len for frame in frames]
    if sum(sizes) > LARGEST_JOINT_BYTES:
        return frames
    return tuple(_stored(frame, size) for frame, size in zip(frames, sizes, strict=True))


def _stored(frame: BatchFrame, payload_len: int) -> BatchFrame:
    if FrameFlag.HEADSTONE in frame.flags:
        return frame
    try:
        return replace(frame, body=stored(decompress(frame.body, payload_len)))
    except RefusedError:
        # A damaged copy goes as it is: the centre's answer makes us look at it.
        return frame
