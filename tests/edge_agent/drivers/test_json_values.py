"""Values in JSON messages: exact, found by their path, and never a number by convenience."""

import json
import struct
from decimal import Decimal
from fractions import Fraction
from math import inf, nextafter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.config.protocols.mqtt import TimeFormat
from edge_agent.drivers.json_values import (
    MAX_PAYLOAD,
    UNKNOWN_WORD,
    MalformedMessageError,
    document,
    found_at,
    raw_word,
    status_word,
    utc_ns,
)

DECIMALS = st.from_regex(
    r"-?(0|[1-9][0-9]{0,24})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,2})?", fullmatch=True
)


def float_of(bits: int) -> float:
    value: float = struct.unpack(">d", struct.pack(">q", bits))[0]
    return value


@given(DECIMALS)
def test_no_binary64_is_nearer_to_the_text_than_the_one_that_is_stored(text: str) -> None:
    bits = raw_word(document(text.encode()), "float64")
    assert bits is not None
    exact, stored = Fraction(text), float_of(bits)
    lower, upper = nextafter(stored, -inf), nextafter(stored, inf)
    error = abs(Fraction(stored) - exact)
    assert all(error <= abs(Fraction(other) - exact) for other in (lower, upper))


@given(st.integers(-(2**63), 2**63 - 1))
def test_an_integer_is_stored_as_itself(number: int) -> None:
    assert raw_word(document(str(number).encode()), "int64") == number


@pytest.mark.parametrize(
    ("text", "raw_type", "expected"),
    [
        ("true", "bool", 1),
        ("false", "bool", 0),
        ("1", "bool", 1),
        ("2", "bool", None),
        ('"on"', "bool", None),
        ("12.0", "int64", 12),
        ("12.5", "int64", None),
        ("1e2", "int64", 100),
        ("1e40", "int64", None),
        ("9223372036854775808", "int64", None),
        ("18446744073709551615", "uint64", -1),
        ("-1", "uint64", None),
        ('"7"', "int64", 7),
        ('"0x7"', "int64", None),
        ("null", "int64", None),
        ("[1]", "int64", None),
        ('{"a": 1}', "float64", None),
        ('"12,5"', "float64", None),
        ('""', "float64", None),
        ('" 1"', "bool", 1),
    ],
)
def test_what_is_not_of_its_type_is_no_value(
    text: str, raw_type: str, expected: int | None
) -> None:
    assert raw_word(document(text.encode()), raw_type) == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e999", float("inf")), ("-Infinity", float("-inf")), ("true", 1.0), ('"12.5"', 12.5)],
)
def test_every_number_has_a_binary64_also_one_that_is_not_finite(text: str, value: float) -> None:
    bits = raw_word(document(text.encode()), "float64")
    assert bits is not None
    assert float_of(bits) == value


def test_a_text_that_says_nan_keeps_the_bits_of_one() -> None:
    bits = raw_word(document(b"NaN"), "float64")
    assert bits is not None
    assert float_of(bits) != float_of(bits)


# RFC 6901, section 5, and arrays.
DOCUMENT = {"foo": ["bar", "baz"], "": 0, "a/b": 1, "m~n": 8, "deep": {"x": [{"y": 3}]}}


@pytest.mark.parametrize(
    ("pointer", "expected"),
    [
        ("/foo/0", "bar"),
        ("/foo/1", "baz"),
        ("/foo/2", None),
        ("/foo/01", None),
        ("/foo/-", None),
        ("/foo/x", None),
        ("/", Decimal(0)),
        ("/a~1b", Decimal(1)),
        ("/m~0n", Decimal(8)),
        ("/deep/x/0/y", Decimal(3)),
        ("/deep/x/0/y/z", None),
        ("/nothing", None),
    ],
)
def test_a_pointer_leads_where_rfc_6901_says_or_nowhere(pointer: str, expected: object) -> None:
    assert found_at(document(json.dumps(DOCUMENT).encode()), pointer) == expected


def test_an_empty_pointer_is_the_whole_message() -> None:
    assert found_at(document(b" 12.5 "), "") == Decimal("12.5")


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff\xfe",
        b"{",
        b'{"a": 1} x',
        b'{"a": 1, "a": 2}',
        b"[" * 100_000,
        b"1" * (MAX_PAYLOAD + 1),
        b"1e99999999999999999999",
        b"1" * 5000 + b"e",
    ],
    ids=lambda payload: repr(payload[:20]),
)
def test_what_does_not_say_one_thing_is_malformed(payload: bytes) -> None:
    with pytest.raises(MalformedMessageError):
        document(payload)


@given(st.binary(max_size=60))
def test_no_bytes_do_anything_but_parse_or_be_refused(payload: bytes) -> None:
    try:
        root = document(payload)
    except MalformedMessageError:
        return
    for raw_type in ("float64", "int64", "bool"):
        raw = raw_word(found_at(root, "/a"), raw_type)
        assert raw is None or -(2**63) <= raw < 2**63


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ('"good"', 0),
        ('"bad"', 2),
        ('"odd"', UNKNOWN_WORD),
        ("7", 7),
        ("null", None),
        ("true", 1),
        ("-1", UNKNOWN_WORD),
        ("1.5", UNKNOWN_WORD),
        ("[]", None),
    ],
)
def test_a_status_that_nobody_knows_is_not_taken_for_a_good_one(
    text: str, word: int | None
) -> None:
    assert status_word(document(text.encode()), {"good": 0, "bad": 2}) == word


AT_NS = 1_790_000_000_123_456_000


@pytest.mark.parametrize(
    ("text", "written", "expected"),
    [
        ("1790000000.123456", TimeFormat.UNIX_S, AT_NS),
        ("1790000000123.456", TimeFormat.UNIX_MS, AT_NS),
        ("1790000000123456", TimeFormat.UNIX_US, AT_NS),
        (str(AT_NS), TimeFormat.UNIX_NS, AT_NS),
        ('"1790000000"', TimeFormat.UNIX_S, AT_NS - 123_456_000),
        ('"2026-09-21T14:13:20.123456Z"', TimeFormat.RFC_3339, AT_NS),
        ('"2026-09-21T16:13:20.123456+02:00"', TimeFormat.RFC_3339, AT_NS),
        ('"2026-09-21T14:13:20.123456"', TimeFormat.RFC_3339, None),
        ('"yesterday"', TimeFormat.RFC_3339, None),
        ("1790000000", TimeFormat.RFC_3339, None),
        ("true", TimeFormat.UNIX_S, None),
        ("null", TimeFormat.UNIX_S, None),
        ("1e99", TimeFormat.UNIX_S, None),
        ("NaN", TimeFormat.UNIX_S, None),
    ],
)
def test_a_time_is_exact_or_none(text: str, written: TimeFormat, expected: int | None) -> None:
    assert utc_ns(document(text.encode()), written) == expected
