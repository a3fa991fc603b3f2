"""What StatusCodes stand for, and how values become raw words."""

import math
import struct

import pytest
from asyncua.ua.status_codes import StatusCodes
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.drivers.opcua_values import (
    BUILT_IN,
    CODES,
    DOUBTED,
    FAILURE,
    IMPOSSIBLE,
    quality_of,
    raw_of,
    word_of,
)
from edge_agent.wire.vocabulary import NO_VALUE


@pytest.mark.parametrize(("code", "name"), [(code, name) for code, (name, _) in CODES.items()])
def test_every_code_has_the_name_that_the_library_has_from_the_specification(
    code: int, name: str
) -> None:
    assert getattr(StatusCodes, name) == code


@given(code=st.sampled_from(sorted(CODES)), bits=st.integers(0, 0xFFFF))
def test_information_bits_change_nothing(code: int, bits: int) -> None:
    assert quality_of(code | bits) == quality_of(code)


@pytest.mark.parametrize(
    ("code", "quality"),
    [
        (0, 0),
        (0x0000_0480, 0),
        (0x4000_0000, DOUBTED),
        (0x8000_0000, FAILURE),
        (0xC000_0000, FAILURE),
    ],
)
def test_a_code_without_a_rule_goes_by_its_severity(code: int, quality: int) -> None:
    assert quality_of(code) == quality


@given(st.floats(width=32))
def test_a_float_is_its_32_bits(value: float) -> None:
    again = struct.unpack("<f", struct.pack("<I", raw_of("float32", value)))[0]
    assert again == value or math.isnan(value)


@given(st.floats())
def test_a_double_is_its_64_bits(value: float) -> None:
    again = struct.unpack("<d", struct.pack("<q", raw_of("float64", value)))[0]
    assert again == value or math.isnan(value)


@given(st.integers(0, 2**64 - 1))
def test_a_uint64_is_the_same_64_bits(value: int) -> None:
    assert raw_of("uint64", value) % 2**64 == value


@given(st.integers(-(2**63), 2**63 - 1))
def test_a_whole_number_is_itself(value: int) -> None:
    assert raw_of("int64", value) == value


def test_no_value_with_a_good_code_is_impossible() -> None:
    assert word_of("float64", None, None, 0) == (0, 0, IMPOSSIBLE)


def test_no_value_with_a_bad_code_says_so() -> None:
    assert word_of("float64", None, None, 0x8034_0000).transport & NO_VALUE


@pytest.mark.parametrize("raw_type", BUILT_IN)
def test_a_value_of_a_type_that_was_not_agreed_is_none(raw_type: str) -> None:
    assert word_of(raw_type, "String", 1.0, 0) == (0, 0, IMPOSSIBLE)
