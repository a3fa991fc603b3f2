"""Frames: they stand one after another, and nothing else than frames is accepted."""

import struct
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.wire.frame import (
    MAX_FRAMES,
    BatchFrame,
    Frame,
    FrameFlag,
    ReceiptFrame,
    encode_batch,
    encode_receipt,
    frames,
)
from edge_agent.wire.refusal import Code
from tests.edge_agent.wire.samples import refused, unless_refused

BATCH_FLAGS = [0, 1, 4, 5, 8, 9]
BATCHES = st.builds(
    BatchFrame,
    flags=st.sampled_from(BATCH_FLAGS).map(FrameFlag),
    header_bytes=st.binary(min_size=312, max_size=312),
    signature=st.binary(min_size=64, max_size=64),
    body=st.binary(max_size=30),
)
RECEIPTS = st.builds(ReceiptFrame, receipt_bytes=st.binary(min_size=185, max_size=185))
GOOD = BatchFrame(
    flags=FrameFlag.HEADSTONE, header_bytes=b"h" * 312, signature=b"s" * 64, body=b"body"
)


def taken(request_bytes: bytes) -> list[Frame]:
    """Return the frames of a request up to the first bad one."""
    found: list[Frame] = []
    reader = frames(request_bytes)
    while (frame := unless_refused(Code.FRAME, lambda: next(reader, None))) is not None:
        found.append(frame)
    return found


def encoded(frame: Frame) -> bytes:
    """Return the bytes of a frame of either kind."""
    if isinstance(frame, BatchFrame):
        return encode_batch(frame)
    return encode_receipt(frame.receipt_bytes)


@given(some=st.lists(BATCHES | RECEIPTS, max_size=5))
def test_frames_survive_their_request(some: list[Frame]) -> None:
    assert list(frames(b"".join(map(encoded, some)))) == some


@given(request_bytes=st.binary(max_size=900))
def test_garbage_gives_frames_or_is_refused(request_bytes: bytes) -> None:
    assert request_bytes.startswith(b"".join(map(encoded, taken(request_bytes))))


@given(some=st.lists(BATCHES | RECEIPTS, min_size=1, max_size=4), choice=st.data())
def test_a_request_cut_anywhere_gives_the_whole_frames_before_the_cut(
    some: list[Frame], choice: st.DataObject
) -> None:
    ends = list(accumulate(len(encoded(frame)) for frame in some))
    cut = choice.draw(st.integers(0, ends[-1]))
    request_bytes = b"".join(map(encoded, some))[:cut]
    assert taken(request_bytes) == some[: sum(end <= cut for end in ends)]
    if cut not in {0, *ends}:
        with refused(Code.FRAME):
            list(frames(request_bytes))


def test_the_layout_is_that_of_the_page() -> None:
    """docs/wire-format.md section 3: length counts what follows it."""
    whole = encode_batch(GOOD)
    assert struct.unpack_from("<II", whole) == (4 + 312 + 64 + 4, 1)
    assert whole[8:] == b"h" * 312 + b"s" * 64 + b"body"
    assert struct.unpack_from("<II", encode_receipt(bytes(185))) == (189, 2)


def test_an_empty_body_is_for_the_reader_of_bodies_to_refuse() -> None:
    (frame,) = frames(struct.pack("<II", 380, 0) + bytes(376))
    assert isinstance(frame, BatchFrame)
    assert frame.body == b""


def test_an_empty_request_has_no_frames() -> None:
    assert list(frames(b"")) == []


@pytest.mark.parametrize("flags", range(64))
def test_only_flags_that_may_stand_together_are_accepted(flags: int) -> None:
    rest = bytes(185) if flags == 2 else bytes(400)
    request = struct.pack("<II", 4 + len(rest), flags) + rest
    if flags in {*BATCH_FLAGS, 2}:
        assert len(list(frames(request))) == 1
    else:
        with refused(Code.FRAME):
            list(frames(request))


@pytest.mark.parametrize(
    "request_bytes",
    [
        pytest.param(b"\0", id="a byte"),
        pytest.param(struct.pack("<I", 0), id="no flags"),
        pytest.param(struct.pack("<I", 3) + bytes(3), id="half of the flags"),
        pytest.param(struct.pack("<II", 4, 0), id="no header"),
        pytest.param(struct.pack("<II", 379, 0) + bytes(375), id="cut off in the signature"),
        pytest.param(struct.pack("<II", 0xFFFFFFFF, 0) + bytes(400), id="length beyond the end"),
        pytest.param(struct.pack("<II", 188, 2) + bytes(184), id="a short receipt"),
        pytest.param(struct.pack("<II", 190, 2) + bytes(186), id="a long receipt"),
        pytest.param(struct.pack("<II", 384, 1 << 31) + bytes(380), id="the highest flag"),
    ],
)
def test_what_is_no_frame_is_refused(request_bytes: bytes) -> None:
    with refused(Code.FRAME):
        list(frames(request_bytes))


def test_a_request_has_at_most_256_frames() -> None:
    whole = encode_batch(GOOD)
    assert len(list(frames(whole * MAX_FRAMES))) == MAX_FRAMES == 256
    with refused(Code.FRAME):
        list(frames(whole * (MAX_FRAMES + 1)))


@pytest.mark.parametrize("missing", [1, 4, 5, 68, 69, 380, 381, 383, 384, 387])
def test_the_last_of_several_frames_is_refused_when_it_is_cut_off(missing: int) -> None:
    whole = encode_batch(GOOD)
    assert len(whole) == 388
    with refused(Code.FRAME):
        list(frames((whole * 3)[:-missing]))
    assert taken((whole * 3)[:-missing]) == [GOOD, GOOD]


def test_the_good_frames_before_a_bad_one_are_yielded() -> None:
    reader = frames(encode_batch(GOOD) * 2 + b"x")
    assert next(reader) == GOOD
    assert next(reader) == GOOD
    with refused(Code.FRAME):
        next(reader)
