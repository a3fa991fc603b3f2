"""Batches that are compressed together stay the batches that were signed."""

from dataclasses import replace

import zstandard

from edge_agent.uplink.joining import LARGEST_JOINT_BYTES, joined
from edge_agent.wire.batch import open_body
from edge_agent.wire.frame import BatchFrame, FrameFlag, encode_batch
from edge_agent.wire.header import Header
from tests.bench.size import batches, frame_of, raw_words


def frames(count: int, seconds: int = 10) -> tuple[BatchFrame, ...]:
    """Return batches of 60 channels of a converter of 12 bits."""
    return tuple(map(frame_of, batches(raw_words("12-bit registers", count * seconds), seconds)))


def test_joined_batches_open_to_what_was_signed() -> None:
    for before, after in zip(frames(6), joined(frames(6)), strict=True):
        header = Header.unpack(after.header_bytes)
        assert (after.header_bytes, after.signature) == (before.header_bytes, before.signature)
        assert open_body(header, after.body) == open_body(header, before.body)


def test_a_minute_is_smaller_together_than_apart() -> None:
    apart = sum(len(encode_batch(frame)) for frame in frames(6))
    together = b"".join(map(encode_batch, joined(frames(6))))
    assert len(zstandard.compress(together, 16)) < 0.9 * apart


def test_a_single_batch_and_a_large_request_go_as_they_are() -> None:
    single = frames(1)
    assert joined(single) is single
    large = frames(1 + LARGEST_JOINT_BYTES // (600 * 36))
    assert joined(large) is large


def test_a_damaged_copy_and_a_headstone_go_as_they_are() -> None:
    damaged, good, other = frames(3)
    damaged = replace(damaged, body=b"no zstd frame")
    headstone = replace(other, flags=FrameFlag.HEADSTONE)
    first, second, third = joined((damaged, good, headstone))
    assert first == damaged
    assert second != good
    assert third == headstone
