"""Values out of raw words, against the definition in fractions of whole numbers."""

import math
import struct
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge_agent.wire.bundle import ChannelRow
from edge_agent.wire.engineering import Scaling
from edge_agent.wire.words import RAW_TYPES, bit_of, word_orders

DECIMALS = st.one_of(
    st.sampled_from(["1", "0.1", "0.5", "0.25", "0.001", "-1", "100", "-0.05", "3.7", "0"]),
    st.decimals(-(10**6), 10**6, places=4).map(lambda one: f"{one:f}"),
    st.sampled_from(["9" * 30, "0." + "0" * 30 + "1", "-" + "9" * 15 + "." + "9" * 15]),
)
RESOLUTIONS = DECIMALS.map(lambda text: text.lstrip("-")).filter(lambda text: Fraction(text) > 0)


def row(
    raw_type: str,
    *,
    word_order: str = "",
    scale: str = "1",
    offset: str = "0",
    resolution: str = "1",
) -> ChannelRow:
    """Return a channel of this type on this line."""
    return ChannelRow(
        channel=1,
        name="x",
        facility="x",
        device="x",
        parameter="x",
        unit_of_measure="x",
        raw_type=raw_type,
        word_order=word_order,
        scale=scale,
        offset=offset,
        resolution=resolution,
        status_source=None,
        profile="x",
        profile_hash="0" * 64,
    )


ROWS = st.sampled_from(sorted(RAW_TYPES)).flatmap(
    lambda raw_type: st.builds(
        row,
        st.just(raw_type),
        word_order=st.sampled_from(word_orders(raw_type)),
        scale=DECIMALS,
        offset=DECIMALS,
        resolution=RESOLUTIONS,
    )
)


def number_by_definition(channel: ChannelRow, word: int) -> Fraction | None:
    """Return the number that a raw word says, None where it says none."""
    kind = channel.raw_type
    if kind == "bool":
        return Fraction(word != 0)
    bit = bit_of(kind)
    if bit is not None:
        return Fraction(word >> bit & 1)
    size = int("".join(letter for letter in kind if letter.isdigit())) // 8
    sent = (word & (1 << 8 * size) - 1).to_bytes(size, "big")
    words = [sent[at : at + 2] for at in range(0, size, 2)]
    if channel.word_order in ("CDAB", "DCBA"):
        words.reverse()
    if channel.word_order in ("BADC", "DCBA"):
        words = [one[::-1] for one in words]
    pattern = b"".join(words)
    if not kind.startswith("float"):
        return Fraction(int.from_bytes(pattern, "big", signed=kind.startswith("int")))
    (number,) = struct.unpack(">f" if size == 4 else ">d", pattern)
    return Fraction(number) if math.isfinite(number) else None


def value_by_definition(channel: ChannelRow, word: int) -> int | None:
    """Return the value of a raw word, None where there is none."""
    number = number_by_definition(channel, word)
    if number is None:
        return None
    quotient = number * Fraction(channel.scale) + Fraction(channel.offset)
    quotient /= Fraction(channel.resolution)
    value = math.floor(abs(quotient) + Fraction(1, 2))
    value = value if quotient >= 0 else -value
    return value if abs(value) <= 2**53 else None


def agree(channels: list[ChannelRow], words: list[int], shape: tuple[int, ...]) -> None:
    """Demand that Scaling gives what the definition gives."""
    raw = np.array(words, dtype=np.int64).reshape(shape)
    before = raw.copy()
    values, is_number = Scaling(channels).integers(raw)
    each = channels if len(channels) > 1 else channels * len(words)
    expected = [value_by_definition(one, word) for one, word in zip(each, words, strict=True)]
    assert values.dtype == np.int64
    assert is_number.dtype == np.bool_
    assert values.shape == is_number.shape == raw.shape
    assert is_number.reshape(-1).tolist() == [value is not None for value in expected]
    assert values.reshape(-1).tolist() == [value or 0 for value in expected]
    assert raw.tolist() == before.tolist()


WORDS = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-5, 5),
    st.integers(0, 0xFFFF),
    st.floats(width=32).map(lambda one: struct.unpack("<I", struct.pack("<f", one))[0]),
    st.floats().map(lambda one: struct.unpack("<q", struct.pack("<d", one))[0]),
    # Readings that stand on a half of many resolutions, and next to one.
    st.integers(-4_000, 4_000).map(
        lambda halves: struct.unpack("<I", struct.pack("<f", halves / 2))[0]
    ),
    st.tuples(st.integers(-4_000, 4_000), st.sampled_from([-1, 0, 1])).map(
        lambda near: struct.unpack("<q", struct.pack("<d", near[0] / 2))[0] + near[1]
    ),
)


@settings(max_examples=400)
@given(channel=ROWS, words=st.lists(WORDS, min_size=1, max_size=12))
def test_one_channel_gives_the_values_of_the_definition(
    channel: ChannelRow, words: list[int]
) -> None:
    agree([channel], words, (len(words),))


@settings(max_examples=200)
@given(pairs=st.lists(st.tuples(ROWS, WORDS), min_size=2, max_size=8))
def test_many_channels_give_the_values_of_the_definition(
    pairs: list[tuple[ChannelRow, int]],
) -> None:
    agree([channel for channel, _ in pairs], [word for _, word in pairs], (len(pairs),))


@given(channels=st.lists(st.builds(row, st.just("int16"), scale=DECIMALS), min_size=2, max_size=6))
def test_channels_of_one_type_give_the_values_of_the_definition(
    channels: list[ChannelRow],
) -> None:
    agree(channels, list(range(-1, len(channels) - 1)), (len(channels),))


@settings(max_examples=300)
@given(
    number=st.floats(allow_nan=False, allow_infinity=False),
    scale=DECIMALS,
    offset=DECIMALS,
    resolution=RESOLUTIONS,
)
@example(number=0.49999999999999994, scale="1", offset="0", resolution="1")
@example(number=-0.49999999999999994, scale="1", offset="0", resolution="1")
@example(number=0.5, scale="1", offset="0", resolution="1")
@example(number=0.35, scale="1", offset="0", resolution="0.1")
@example(number=1.005, scale="1", offset="0", resolution="0.01")
@example(number=1e308, scale="999999", offset="0", resolution="0.0001")
@example(number=5e-324, scale="0.0001", offset="0.5", resolution="1")
@example(number=-1e16, scale="1", offset="10000000000000000.5", resolution="1")
@example(number=2.0**53, scale="1", offset="0", resolution="1")
@example(number=2.0**53 + 2, scale="1", offset="0", resolution="1")
@example(number=-(2.0**53), scale="1", offset="-1", resolution="1")
def test_a_binary64_is_taken_exactly(
    number: float, scale: str, offset: str, resolution: str
) -> None:
    (word,) = struct.unpack("<q", struct.pack("<d", number))
    channel = row("float64", scale=scale, offset=offset, resolution=resolution)
    agree([channel], [word], (1,))


@pytest.mark.parametrize(
    ("channel", "word", "value"),
    [
        pytest.param(row("int16", scale="0.1", resolution="0.1"), 1234, 1234, id="in its steps"),
        pytest.param(row("int16", scale="0.5"), 1, 1, id="half up"),
        pytest.param(row("int16", scale="0.5"), -1, -1, id="half of a negative, down"),
        pytest.param(row("int16", scale="0.49"), 1, 0, id="below a half"),
        pytest.param(row("int16", scale="-0.5"), 1, -1, id="negative scale"),
        pytest.param(
            row("uint16", scale="0.1", offset="-40", resolution="0.01"), 655, 2550, id="C"
        ),
        pytest.param(row("uint64"), -1, None, id="2^64 - 1 is beyond 2^53"),
        pytest.param(
            row("uint64", scale="0.0001"), -1, 1_844_674_407_370_955, id="2^64 - 1 scaled"
        ),
        pytest.param(row("int64"), 2**53, 2**53, id="2^53"),
        pytest.param(row("int64"), 2**53 + 1, None, id="2^53 + 1"),
        pytest.param(row("int64"), -(2**53), -(2**53), id="-2^53"),
        pytest.param(row("int64"), -(2**53) - 1, None, id="-2^53 - 1"),
        pytest.param(row("int64"), -(2**63), None, id="the smallest i64"),
        pytest.param(row("float32"), 0x7FC00000, None, id="NaN"),
        pytest.param(row("float32"), 0x7FA00000, None, id="a signalling NaN"),
        pytest.param(row("float32"), 0x7F800000, None, id="infinity"),
        pytest.param(row("float32"), 0xFF800000, None, id="minus infinity"),
        pytest.param(row("float32"), 0x7F7FFFFF, None, id="the largest binary32"),
        pytest.param(row("float32"), 0x80000000, 0, id="minus zero"),
        pytest.param(row("bit3", scale="5"), 8, 5, id="a bit"),
        pytest.param(row("bool", offset="1"), 1, 2, id="a truth"),
        pytest.param(row("int16", scale="0", offset="7"), 5, 7, id="scale 0"),
        pytest.param(row("int16", scale="9" * 30), 0, 0, id="a scale beyond int64, of nothing"),
        pytest.param(row("int16", offset="9" * 30), 1, None, id="an offset beyond int64"),
    ],
)
def test_a_value_is_what_the_page_says(channel: ChannelRow, word: int, value: int | None) -> None:
    """docs/calculations.md section 3."""
    assert value_by_definition(channel, word) == value
    agree([channel], [word], (1,))


def test_channels_of_every_kind_stand_in_one_device() -> None:
    channels = [row(raw_type, scale="0.5", offset="0.25") for raw_type in sorted(RAW_TYPES)]
    for word in (0, 1, -1, 0x3F800000, 0x7FC00000, 2**63 - 1):
        agree(channels, [word] * len(channels), (len(channels),))


def test_readings_on_a_half_stand_in_one_device() -> None:
    words = [0x3F00_0000, 0x4020_0000, 0xC020_0000, 0x4134_0000, 0x7F80_0000]
    agree([row("float32")] * len(words), words, (len(words),))


def test_no_channels_have_no_values() -> None:
    values, is_number = Scaling([]).integers(np.empty(0, dtype=np.int64))
    assert values.shape == is_number.shape == (0,)


@pytest.mark.parametrize("shape", [(), (1,), (6,), (2, 3), (0,), (0, 3)])
def test_one_channel_takes_any_shape(shape: tuple[int, ...]) -> None:
    agree([row("float32")], [0x3FC00000] * math.prod(shape), shape)


def test_one_channel_takes_a_view() -> None:
    raw = np.arange(24, dtype=np.int64).reshape(4, 6)[::2, 1::2].T
    values, _ = Scaling([row("int32", word_order="CDAB", scale="0.001")]).integers(raw)
    assert values.tolist() == np.round(raw * 65.536).astype(int).tolist()


@pytest.mark.parametrize("shape", [(1,), (3,), (2, 1), ()])
def test_many_channels_take_one_word_each(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="must have"):
        Scaling([row("int16"), row("int16")]).integers(np.zeros(shape, dtype=np.int64))


def test_a_record_of_a_year_agrees_with_its_parts() -> None:
    words = np.random.default_rng(7).integers(0, 1 << 32, 5_000)
    scaling = Scaling([row("float32", word_order="CDAB", scale="0.1", resolution="0.001")])
    whole, is_number = scaling.integers(words)
    for at in range(0, len(words), 500):
        part, is_part = scaling.integers(words[at : at + 500])
        assert part.tolist() == whole[at : at + 500].tolist()
        assert is_part.tolist() == is_number[at : at + 500].tolist()
