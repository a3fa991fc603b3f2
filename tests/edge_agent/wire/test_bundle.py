"""The bundle: exact keys, exact forms, one hash."""

from dataclasses import fields, replace
from hashlib import sha256
from typing import TypedDict

import pytest

from edge_agent.wire.bundle import (
    MAX_BUNDLE,
    Bundle,
    ChannelRow,
    bundle_bytes,
    config_hash,
    parse_bundle,
    profile_hashes,
)
from edge_agent.wire.canonical import JsonValue, canonical, parse_canonical
from edge_agent.wire.refusal import Code
from edge_agent.wire.words import RAW_TYPES
from tests.edge_agent.wire.samples import refused


class RowFields(TypedDict, total=False):
    """The fields of a channel row that can be wrong in themselves."""

    channel: int
    raw_type: str
    word_order: str
    scale: str
    offset: str
    resolution: str
    profile_hash: str


PROFILE_HASH = "ab" * 32
ROW = ChannelRow(
    channel=7,
    name="NOx stack 1",
    facility="6138",
    device="analyzer",
    parameter="nox",
    unit_of_measure="ppm",
    raw_type="float32",
    word_order="CDAB",
    scale="1",
    offset="0",
    resolution="0.01",
    status_source="holding 40001",
    profile="thermo/42i",
    profile_hash=PROFILE_HASH,
)
BUNDLE = Bundle(
    simulated=True,
    channels=(ROW, replace(ROW, channel=9, status_source=None)),
    judging={"channel_7": {"low": "0", "high": None}},
    agent={"commit_interval_s": "10"},
    profiles={"thermo__42i": PROFILE_HASH},
)
GOOD = BUNDLE.pack()


def test_a_bundle_survives_its_bytes() -> None:
    assert parse_bundle(GOOD) == BUNDLE
    assert parse_bundle(GOOD).pack() == GOOD


def test_the_pieces_make_the_same_bytes_as_the_whole() -> None:
    made = bundle_bytes(
        simulated=BUNDLE.simulated,
        channels=list(BUNDLE.channels),
        judging=BUNDLE.judging,
        agent=BUNDLE.agent,
        profiles=BUNDLE.profiles,
    )
    assert made == GOOD
    assert config_hash(made) == sha256(made).digest()


def test_an_empty_bundle_is_one() -> None:
    empty = Bundle(simulated=False, channels=(), judging={}, agent={}, profiles={})
    assert empty.pack() == (
        b'{"agent":{},"channels":[],"judging":{},"profiles":{},"simulated":false,"version":1}'
    )
    assert parse_bundle(empty.pack()) == empty


def test_a_channel_has_the_keys_of_the_page() -> None:
    """docs/wire-format.md section 8."""
    assert {field.name for field in fields(ChannelRow)} == {
        *("channel", "name", "facility", "device", "parameter", "unit_of_measure", "raw_type"),
        *("word_order", "scale", "offset", "resolution", "status_source", "profile"),
        "profile_hash",
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"channel": 1},
        {"channel": 4_294_967_295},
        *({"raw_type": raw_type, "word_order": ""} for raw_type in sorted(RAW_TYPES)),
        {"raw_type": "uint16", "word_order": "BADC"},
        {"raw_type": "int64", "word_order": "DCBA"},
        {"scale": "-0.0001", "offset": "-273.15", "resolution": "100"},
        {"scale": "0." + "1" * 38},
    ],
    ids=str,
)
def test_a_channel_that_may_exist_does(changes: RowFields) -> None:
    replace(ROW, **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"channel": 0},
        {"channel": 4_294_967_296},
        {"raw_type": "uint8"},
        {"raw_type": "bit16"},
        {"word_order": "ACBD"},
        {"raw_type": "uint16", "word_order": "CDAB"},
        {"raw_type": "bool", "word_order": "ABCD"},
        {"scale": "1e3"},
        {"scale": ".5"},
        {"scale": "01"},
        {"scale": "+1"},
        {"scale": "1 "},
        {"scale": "1\n"},
        {"scale": "NaN"},
        {"scale": "0." + "1" * 39},
        {"offset": ""},
        {"offset": "1/3"},
        {"resolution": "0"},
        {"resolution": "-1"},
        {"resolution": "0.000"},
        {"profile_hash": "ab"},
        {"profile_hash": "AB" * 32},
    ],
    ids=str,
)
def test_a_channel_that_cannot_be_is_refused(changes: RowFields) -> None:
    with pytest.raises(ValueError, match=r".+"):
        replace(ROW, **changes)


@pytest.mark.parametrize("numbers", [(7, 7), (9, 7)])
def test_channel_numbers_rise(numbers: tuple[int, int]) -> None:
    rows = tuple(replace(ROW, channel=number) for number in numbers)
    with pytest.raises(ValueError, match="must rise"):
        replace(BUNDLE, channels=rows)


def test_a_profile_is_named_by_a_hash() -> None:
    with pytest.raises(ValueError, match="64 hex digits"):
        replace(BUNDLE, profiles={"thermo__42i": "00"})


def changed(**members: JsonValue) -> bytes:
    """Return the bundle with other members, canonical."""
    return canonical({**parse_canonical(GOOD), **members})


def with_row(**members: JsonValue) -> bytes:
    """Return the bundle with other members in its first channel, canonical."""
    row = canonical({name.name: getattr(ROW, name.name) for name in fields(ROW)})
    return changed(channels=[{**parse_canonical(row), **members}])


def without(*names: str) -> bytes:
    """Return the bundle without some of its members, canonical."""
    return canonical({k: v for k, v in parse_canonical(GOOD).items() if k not in names})


@pytest.mark.parametrize(
    "bundle",
    [
        pytest.param(GOOD + b"\n", id="a byte behind"),
        pytest.param(b"[]", id="no object"),
        pytest.param(changed(version=2), id="version 2"),
        pytest.param(changed(version=True), id="version true"),
        pytest.param(changed(version="1"), id="version as text"),
        pytest.param(changed(simulated=0), id="simulated as number"),
        pytest.param(changed(channels={}), id="channels no list"),
        pytest.param(changed(channels=[1]), id="a channel no object"),
        pytest.param(changed(judging=[]), id="judging no object"),
        pytest.param(changed(agent=None), id="agent no object"),
        pytest.param(changed(profiles={"a": None}), id="a profile without hash"),
        pytest.param(changed(more=1), id="another key"),
        pytest.param(without("agent"), id="a key missing"),
        pytest.param(with_row(more="x"), id="another key in a channel"),
        pytest.param(changed(channels=[{"channel": 7}]), id="a key missing in a channel"),
        pytest.param(with_row(channel="7"), id="channel as text"),
        pytest.param(with_row(channel=True), id="channel as truth"),
        pytest.param(with_row(status_source=1), id="status_source as number"),
        pytest.param(with_row(scale=1), id="scale as number"),
        pytest.param(with_row(scale="1e3"), id="scale with exponent"),
    ],
)
def test_bytes_that_are_no_bundle_are_refused(bundle: bytes) -> None:
    with refused(Code.EVENT):
        parse_bundle(bundle)


def test_a_bundle_has_a_limit() -> None:
    with refused(Code.EVENT):
        parse_bundle(b" " * (MAX_BUNDLE + 1))


def test_the_profiles_of_a_bundle_are_found_without_reading_it_whole() -> None:
    row = replace(ROW, name='x","profiles":{"no":"' + "00" * 32 + '"}')
    first, second = "aa" * 32, "bb" * 32
    bundle = bundle_bytes(
        simulated=False,
        channels=[row],
        judging={},
        agent={},
        profiles={"one": second, "two": first, "three": second},
    )
    assert parse_bundle(bundle).channels[0].name == row.name
    assert profile_hashes([bundle]) == (bytes.fromhex(first), bytes.fromhex(second))


def test_a_bundle_without_profiles_has_none() -> None:
    bundle = bundle_bytes(simulated=False, channels=[], judging={}, agent={}, profiles={})
    assert profile_hashes([bundle]) == ()


@pytest.mark.parametrize("bundle", [b"", b"{}", b'{"judging":{},"profiles":{"a":"'])
def test_profiles_of_what_is_no_bundle_are_refused(bundle: bytes) -> None:
    with refused(Code.EVENT):
        profile_hashes([bundle])
