"""Raw words as numbers: every type in every order, against bytes put in order by hand."""

import struct
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.wire.words import RAW_TYPES, bit_of, bit_reader, number_reader, word_orders

FORMATS = {
    "uint16": ">H",
    "int16": ">h",
    "uint32": ">I",
    "int32": ">i",
    "uint64": ">Q",
    "int64": ">q",
    "float32": ">f",
    "float64": ">d",
}
# Where the bytes of a value, most significant first, stand in the registers as sent.
PLACES = {
    ("", 2): [0, 1],
    ("ABCD", 2): [0, 1],
    ("BADC", 2): [1, 0],
    ("", 4): [0, 1, 2, 3],
    ("ABCD", 4): [0, 1, 2, 3],
    ("CDAB", 4): [2, 3, 0, 1],
    ("BADC", 4): [1, 0, 3, 2],
    ("DCBA", 4): [3, 2, 1, 0],
    ("", 8): [0, 1, 2, 3, 4, 5, 6, 7],
    ("ABCD", 8): [0, 1, 2, 3, 4, 5, 6, 7],
    ("CDAB", 8): [6, 7, 4, 5, 2, 3, 0, 1],
    ("BADC", 8): [1, 0, 3, 2, 5, 4, 7, 6],
    ("DCBA", 8): [7, 6, 5, 4, 3, 2, 1, 0],
}
READABLE = [(kind, order) for kind in sorted(FORMATS) for order in word_orders(kind)]


def raw_of(pattern: bytes, order: str) -> int:
    """Return the raw word of a value's big-endian bytes, sent in this order, as an i64."""
    sent = bytearray(len(pattern))
    for place, byte in zip(PLACES[order, len(pattern)], pattern, strict=True):
        sent[place] = byte
    word = int.from_bytes(sent, "big")
    return word - (1 << 64) if word >= 1 << 63 else word


@pytest.mark.parametrize(("kind", "order"), READABLE)
@given(patterns=st.lists(st.binary(min_size=8, max_size=8), min_size=1, max_size=4))
def test_every_type_is_read_in_every_order(kind: str, order: str, patterns: list[bytes]) -> None:
    layout = struct.Struct(FORMATS[kind])
    patterns = [pattern[: layout.size] for pattern in patterns]
    raw = np.array([raw_of(pattern, order) for pattern in patterns], dtype=np.int64)
    expected = [layout.unpack(pattern)[0] for pattern in patterns]
    np.testing.assert_array_equal(number_reader(kind, order)(raw), expected)


def test_there_is_no_order_that_this_page_does_not_know() -> None:
    sizes = {kind: struct.calcsize(FORMATS[kind]) for kind in FORMATS}
    assert {(order, sizes[kind]) for kind, order in READABLE} == PLACES.keys()


@pytest.mark.parametrize(
    ("kind", "word", "number"),
    [
        ("int16", 0xFFFF, -1),
        ("int16", -1, -1),
        ("uint16", -1, 0xFFFF),
        ("int32", 0xFFFF_FFFF, -1),
        ("uint32", 1 << 32 | 5, 5),
        ("uint64", -1, 2**64 - 1),
        ("bool", 0, 0),
        ("bool", 1, 1),
        ("bool", 2, 1),
    ],
)
def test_only_the_bits_of_the_type_count(kind: str, word: int, number: int) -> None:
    assert number_reader(kind, "")(np.array([word])).tolist() == [number]


@pytest.mark.parametrize("pattern", [0x7F800001, 0x7FA00000, 0xFFC00000, 0x7F800000])
def test_patterns_that_are_no_number_are_read_without_a_warning(pattern: int) -> None:
    (number,) = number_reader("float32", "")(np.array([pattern] * 16))[:1]
    assert not np.isfinite(number)


def test_bits_are_counted_from_the_least_significant() -> None:
    register = np.array([0b1000_0000_0000_0101] * 16)
    assert bit_reader(range(16))(register).tolist() == [1, 0, 1] + [0] * 12 + [1]
    assert bit_reader([2])(np.array([4, 3, 7])).tolist() == [1, 0, 1]
    assert [bit_of(f"bit{bit}") for bit in range(16)] == list(range(16))
    assert bit_of("uint16") is None


def test_every_type_has_its_orders() -> None:
    assert len(RAW_TYPES) == 1 + 16 + 8
    for kind, bit in product(["bool"], range(16)):
        assert word_orders(kind) == word_orders(f"bit{bit}") == ("",)
    with pytest.raises(ValueError, match="'uint8' is unknown"):
        word_orders("uint8")
