"""The zstd frame of a body: what a library makes passes, everything else is refused unopened."""

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.wire.compression import (
    MAX_WINDOW,
    SMALL_PAYLOAD,
    compress,
    decompress,
    stored,
)
from edge_agent.wire.refusal import Code
from tests.edge_agent.wire.samples import refused, unless_refused

PAYLOAD = b"stack gas " * 100
MAGIC = bytes.fromhex("28b52ffd")


def raw_frame(payload: bytes, *, descriptor: int = 0xA0, window: bytes = b"") -> bytes:
    """Return a frame of one raw block (RFC 8878 section 3.1.1); 0xA0: 4 bytes of content size."""
    size = len(payload).to_bytes(4, "little")
    block = (len(payload) << 3 | 1).to_bytes(3, "little")
    return MAGIC + bytes([descriptor]) + window + size + block + payload


@given(payload=st.binary(min_size=1, max_size=3_000), level=st.integers(1, 19))
def test_a_payload_survives_any_level(payload: bytes, level: int) -> None:
    body = zstandard.ZstdCompressor(level=level).compress(payload)
    assert decompress(body, len(payload)) == payload


@pytest.mark.parametrize(
    "size", [1, SMALL_PAYLOAD, SMALL_PAYLOAD + 1, 128 * 1024, 128 * 1024 + 1, 4 * 1024 * 1024]
)
def test_a_payload_survives_compressed_and_stored_at_any_size(size: int) -> None:
    payload = (bytes(range(256)) * (size // 256 + 1))[:size]
    assert decompress(compress(payload), size) == payload
    assert decompress(stored(payload), size) == payload


@given(payload=st.binary(min_size=1, max_size=3_000))
def test_a_stored_payload_is_there_as_it_is(payload: bytes) -> None:
    assert stored(payload).endswith(payload)
    assert zstandard.ZstdDecompressor().decompress(stored(payload)) == payload


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(raw_frame(PAYLOAD), id="a raw block"),
        pytest.param(raw_frame(PAYLOAD, descriptor=0x80, window=b"\x00"), id="smallest window"),
        pytest.param(raw_frame(PAYLOAD, descriptor=0x80, window=b"\x68"), id="8 MiB window"),
        pytest.param(
            zstandard.ZstdCompressor(write_checksum=True).compress(PAYLOAD), id="a checksum"
        ),
    ],
)
def test_every_frame_that_obeys_the_rules_is_unpacked(body: bytes) -> None:
    assert decompress(body, len(PAYLOAD)) == PAYLOAD


def test_a_run_length_block_is_unpacked() -> None:
    head = MAGIC + b"\xa0" + (500).to_bytes(4, "little")
    block = (500 << 3 | 1 << 1 | 1).to_bytes(3, "little") + b"x"
    assert decompress(head + block, 500) == b"x" * 500


def without_size(payload: bytes) -> bytes:
    """Return a frame that does not say its content size."""
    return zstandard.ZstdCompressor(write_content_size=False).compress(payload)


GOOD = raw_frame(PAYLOAD)
CHECKED = zstandard.ZstdCompressor(write_checksum=True).compress(PAYLOAD)
SAMPLES: list[bytes | bytearray | memoryview] = [
    f'{{"at_ns":"{n}","type":"note{n % 7}"}}'.encode() * 3 for n in range(2_000)
]
DICTIONARY = zstandard.train_dictionary(4_096, SAMPLES)
SKIPPABLE = bytes.fromhex("502a4d1804000000") + b"skip"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(MAGIC, id="magic only"),
        pytest.param(PAYLOAD, id="not compressed"),
        pytest.param(without_size(PAYLOAD), id="no content size"),
        pytest.param(compress(PAYLOAD + b"x"), id="another content size"),
        pytest.param(
            zstandard.ZstdCompressor(dict_data=DICTIONARY).compress(PAYLOAD), id="a dictionary"
        ),
        pytest.param(raw_frame(PAYLOAD, descriptor=0xA1, window=b"\x00"), id="dictionary 0"),
        pytest.param(raw_frame(PAYLOAD, descriptor=0x80, window=b"\x69"), id="9 MiB window"),
        pytest.param(raw_frame(PAYLOAD, descriptor=0xA8), id="reserved bit"),
        pytest.param(b"\0" + GOOD, id="a byte before"),
        pytest.param(GOOD + b"\0", id="a byte behind"),
        pytest.param(GOOD + GOOD, id="two frames"),
        pytest.param(SKIPPABLE + GOOD, id="a skippable frame before"),
        pytest.param(GOOD + SKIPPABLE, id="a skippable frame behind"),
        pytest.param(GOOD[:-1], id="cut off in a block"),
        pytest.param(GOOD[:11], id="cut off in a block header"),
        pytest.param(CHECKED[:-4], id="checksum missing"),
        pytest.param(CHECKED[:-1] + bytes([CHECKED[-1] ^ 1]), id="checksum wrong"),
        pytest.param(
            MAGIC + b"\xa0" + len(PAYLOAD).to_bytes(4, "little") + b"\x07\x00\x00",
            id="reserved block type",
        ),
        pytest.param(
            MAGIC + b"\xa0" + len(PAYLOAD).to_bytes(4, "little") + b"\x01\x00\x00",
            id="less than it says",
        ),
        pytest.param(
            MAGIC + b"\xa0" + len(PAYLOAD).to_bytes(4, "little") + b"\x0d\x00\x00x",
            id="a compressed block of nonsense",
        ),
    ],
)
def test_frames_that_break_a_rule_are_refused(body: bytes) -> None:
    with refused(Code.ZSTD):
        decompress(body, len(PAYLOAD))


@given(place=st.integers(0, len(GOOD) - 1), flip=st.integers(1, 255))
def test_damage_is_refused_or_unpacks_to_the_length_that_was_signed(place: int, flip: int) -> None:
    damaged = bytearray(compress(PAYLOAD))
    damaged[place % len(damaged)] ^= flip
    found = unless_refused(Code.ZSTD, lambda: decompress(bytes(damaged), len(PAYLOAD)))
    assert found is None or len(found) == len(PAYLOAD)


def test_a_bomb_is_refused_by_its_announced_size() -> None:
    bomb = compress(bytes(64 * 1024 * 1024))
    assert len(bomb) < 10_000
    with refused(Code.ZSTD):
        decompress(bomb, len(PAYLOAD))


def test_a_bomb_that_lies_about_its_size_unpacks_no_further_than_it_said() -> None:
    blocks = b"".join((131_072 << 3 | 1 << 1).to_bytes(3, "little") + b"\0" for _ in range(500))
    last = (0 << 3 | 1).to_bytes(3, "little")
    body = MAGIC + b"\x80\x68" + (1_000).to_bytes(4, "little") + blocks + last
    with refused(Code.ZSTD):
        decompress(body, 1_000)


def test_the_window_is_that_of_the_page() -> None:
    assert MAX_WINDOW == 8 << 20
