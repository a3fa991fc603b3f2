"""Canonical JSON: one form for each value, and no other accepted."""

import json
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.wire.canonical import MAX_DEPTH, MAX_INTEGER, JsonValue, canonical, parse_canonical
from edge_agent.wire.refusal import Code
from tests.edge_agent.wire.samples import refused, unless_refused

KEYS = st.builds("".join, st.tuples(st.sampled_from("akz"), st.text("az09_", max_size=31)))
LEAVES = st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | st.text(max_size=9)
VALUES: st.SearchStrategy[JsonValue] = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=4)


@given(value=OBJECTS)
def test_what_is_written_is_read_back(value: dict[str, JsonValue]) -> None:
    assert parse_canonical(canonical(value)) == value


@given(value=OBJECTS)
def test_any_other_way_to_write_the_same_is_refused(value: dict[str, JsonValue]) -> None:
    line = canonical(value)
    others = [
        json.dumps(value).encode(),
        json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(),
        line + b" ",
        b"\xef\xbb\xbf" + line,
        line.decode().encode("utf-16"),
    ]
    for other in others:
        if other != line:
            with refused(Code.EVENT):
                parse_canonical(other)


@given(line=st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_garbage_is_refused_or_canonical(line: bytes) -> None:
    value = unless_refused(Code.EVENT, lambda: parse_canonical(line))
    assert value is None or canonical(value) == line


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ({}, b"{}"),
        ({"b": 1, "a": [True, None, "x"], "a_": {}}, b'{"a":[true,null,"x"],"a_":{},"b":1}'),
        ({"a": MAX_INTEGER, "b": -MAX_INTEGER}, b'{"a":9007199254740991,"b":-9007199254740991}'),
        # RFC 8785 section 3.2.2.2: two-letter escapes, other control characters as \u00xx.
        (
            {"a": '\b\t\n\f\r"\\\x00\x1f\x7f/\u2028é€😀'},
            b'{"a":"\\b\\t\\n\\f\\r\\"\\\\\\u0000\\u001f\x7f/' + "\u2028é€😀".encode() + b'"}',
        ),
        (MappingProxyType({"a": (1, MappingProxyType({}))}), b'{"a":[1,{}]}'),
        ("text", b'"text"'),
    ],
)
def test_the_form_is_that_of_rfc_8785(value: JsonValue, line: bytes) -> None:
    assert canonical(value) == line


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({"a": 2**53}, id="an integer of 2^53"),
        pytest.param({"a": -(2**53)}, id="an integer of -2^53"),
        pytest.param({"a": 1.0}, id="a fraction"),
        pytest.param({"a": b"x"}, id="bytes"),
        pytest.param({"a": "\ud800"}, id="half a surrogate pair"),
        pytest.param({"A": 1}, id="a capital key"),
        pytest.param({"": 1}, id="an empty key"),
        pytest.param({"1a": 1}, id="a key that begins with a digit"),
        pytest.param({"a\n": 1}, id="a key with a newline"),
        pytest.param({"a" * 33: 1}, id="a long key"),
        pytest.param({1: 1}, id="a key that is no text"),
        pytest.param({"a": [{"a-b": 1}]}, id="a bad key deep inside"),
    ],
)
def test_values_without_a_canonical_form_are_refused(value: JsonValue) -> None:
    with refused(Code.EVENT):
        canonical(value)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"null",
        b"[]",
        b'"a"',
        b"{",
        b'{"a":1.0}',
        b'{"a":1e2}',
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":-0}',
        b'{"a":01}',
        b'{"a":9007199254740992}',
        b'{"a":' + b"9" * 5000 + b"}",
        b'{"a":1,"a":1}',
        b'{"b":1,"a":1}',
        b'{"a": 1}',
        b'{"a":"\\u0061"}',
        b'{"a":"\\/"}',
        b'{"a":"\\u001F"}',
        b'{"a":"\\ud800"}',
        b'{"a":"\xff"}',
        b'{"a":"\n"}',
        b'{"a":1}\n',
        b"[" * 16_384,
        b'{"a":' * 3_000,
    ],
    ids=lambda line: repr(line[:24]),
)
def test_lines_that_are_not_canonical_are_refused(line: bytes) -> None:
    with refused(Code.EVENT):
        parse_canonical(line)


def test_nesting_has_a_limit() -> None:
    deepest = b'{"a":' + b"[" * (MAX_DEPTH - 1) + b"]" * (MAX_DEPTH - 1) + b"}"
    assert canonical(parse_canonical(deepest)) == deepest
    with refused(Code.EVENT):
        parse_canonical(deepest.replace(b"[]", b"[[]]"))
