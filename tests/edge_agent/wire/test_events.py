"""Events: one line each, known types with their fields, and where some of them must stand."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.wire.canonical import JsonValue, canonical
from edge_agent.wire.event_fields import FIELDS, is_nanoseconds
from edge_agent.wire.events import Event, check_events, parse_event
from edge_agent.wire.refusal import Code
from edge_agent.wire.vocabulary import BatchFlag
from tests.edge_agent.wire.samples import AT, CHAIN, HASH, beginning, event, loss, refused

PLACE: Final = {"chain": str(CHAIN), "batch_no": "7", "batch_hash": HASH.hex()}
GOOD: Final[dict[str, dict[str, JsonValue]]] = {
    "continue": {"reason": "fork", "previous": PLACE},
    "boot": {
        "boot_count": 3,
        "clean": True,
        "software": "0.1.0",
        "hardware": {"soc_serial": "10000000a3b1c2d4", "mac": "dc:a6:32:00:00:01"},
    },
    "config_applied": {"config_hash": HASH.hex()},
    "clock_step": {"old_ns": "-5", "new_ns": str(AT), "source": "ntp", "unc_ms": 12},
    "loss": {
        "chain": str(CHAIN),
        "first_batch": "3",
        "last_batch": 4,
        "first_seq": "30",
        "last_seq": "9223372036854775807",
        "channels": [1, 4_294_967_295],
        "from_ns": str(AT),
        "to_ns": str(AT + 1),
        "reason": "storage_full",
    },
    "gap": {
        "state": "closed",
        "channels": [1, 2],
        "from_ns": str(AT),
        "to_ns": str(AT + 1),
        "missed": 4,
        "reason": "no_answer",
    },
    "calibration": {"channels": [1], "phase": 15},
    "confirmation": {"who": "tester", "what": "word order CDAB"},
    "note": {"who": "tester", "text": ""},
    "hardware_changed": {"what": "cid", "old": None, "new": "aa"},
    "key_rotated": {"key": HASH.hex(), "proof": "00ff"},
}


def line(kind: str, fields: dict[str, JsonValue]) -> bytes:
    """Return the line of an event with these fields, as they are."""
    return canonical({"type": kind, "at_ns": "1", "mono_ns": "2", **fields})


def test_every_known_type_has_an_example_here() -> None:
    assert GOOD.keys() == FIELDS.keys()
    assert all(GOOD[kind].keys() == FIELDS[kind].keys() for kind in GOOD)


@pytest.mark.parametrize("kind", GOOD)
def test_a_known_type_with_its_fields_is_read(kind: str) -> None:
    found = parse_event(line(kind, GOOD[kind]))
    assert (found.type, found.at_ns, found.mono_ns) == (kind, 1, 2)
    assert found.fields == {**GOOD[kind]}
    assert parse_event(line(kind, GOOD[kind] | {"more": [1]})).fields["more"] == [1]


@pytest.mark.parametrize(("kind", "name"), [(k, n) for k, fields in GOOD.items() for n in fields])
def test_a_known_type_without_one_of_its_fields_is_refused(kind: str, name: str) -> None:
    fields = {key: value for key, value in GOOD[kind].items() if key != name}
    with refused(Code.EVENT):
        parse_event(line(kind, fields))


WRONG: Final[list[tuple[str, str, JsonValue]]] = [
    ("continue", "reason", "because"),
    ("continue", "reason", 1),
    ("continue", "previous", "none"),
    ("continue", "previous", PLACE | {"chain": "x"}),
    ("continue", "previous", PLACE | {"batch_no": -1}),
    ("continue", "previous", PLACE | {"batch_hash": HASH.hex().upper()}),
    ("continue", "previous", {}),
    ("boot", "boot_count", True),
    ("boot", "clean", 1),
    ("boot", "software", None),
    ("boot", "hardware", []),
    ("boot", "hardware", {"mac": 1}),
    ("config_applied", "config_hash", "00"),
    ("clock_step", "old_ns", 5),
    ("clock_step", "new_ns", "9223372036854775808"),
    ("clock_step", "new_ns", "-9223372036854775809"),
    ("clock_step", "new_ns", "05"),
    ("clock_step", "new_ns", "-0"),
    ("clock_step", "new_ns", "+5"),
    ("clock_step", "new_ns", ""),
    ("clock_step", "new_ns", "1" * 5_000),
    ("clock_step", "unc_ms", "-1"),
    ("loss", "chain", str(CHAIN).upper()),
    ("loss", "first_batch", None),
    ("loss", "channels", {}),
    ("loss", "channels", [0]),
    ("loss", "channels", ["1"]),
    ("loss", "channels", [True]),
    ("loss", "channels", [4_294_967_296]),
    ("loss", "reason", None),
    ("gap", "state", "shut"),
    ("gap", "to_ns", 5),
    ("gap", "to_ns", None),
    ("gap", "state", "still"),
    ("gap", "missed", "x"),
    ("calibration", "phase", 8),
    ("calibration", "phase", True),
    ("calibration", "phase", "1"),
    ("key_rotated", "proof", "0"),
    ("key_rotated", "proof", ""),
    ("key_rotated", "key", 1),
]


@pytest.mark.parametrize(("kind", "name", "value"), WRONG)
def test_a_field_of_another_form_is_refused(kind: str, name: str, value: JsonValue) -> None:
    with refused(Code.EVENT):
        parse_event(line(kind, GOOD[kind] | {name: value}))


def test_an_open_gap_has_no_end_yet() -> None:
    for state in ("open", "still"):
        parse_event(line("gap", GOOD["gap"] | {"state": state, "to_ns": None}))


def test_the_end_of_a_calibration_says_all_of_its_result() -> None:
    end: dict[str, JsonValue] = {"reference": "0.0", "reading": "0.4", "drift_pct_span": "-0.2"}
    parse_event(line("calibration", GOOD["calibration"] | end))
    for name in end:
        for wrong in (end | {name: 0}, end | {name: "1e3"}, {k: end[k] for k in end if k != name}):
            with refused(Code.EVENT):
                parse_event(line("calibration", GOOD["calibration"] | wrong))


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": 1, "at_ns": "1", "mono_ns": "2"},
        {"at_ns": "1", "mono_ns": "2"},
        {"type": "x", "at_ns": 1, "mono_ns": "2"},
        {"type": "x", "at_ns": "1"},
        {"type": "x", "at_ns": "1", "mono_ns": "2."},
    ],
)
def test_every_event_has_a_type_and_two_times(wrong: dict[str, str | int]) -> None:
    with refused(Code.EVENT):
        parse_event(canonical(wrong))


def test_an_unknown_type_is_kept_as_it_is() -> None:
    found = parse_event(line("tea_time", {"cups": 3}))
    assert found.fields == {"cups": 3}


def test_wide_integers_are_written_as_digits() -> None:
    made = event("loss", **dict(loss().fields))
    assert b'"first_seq":"30"' in made.line
    assert f'"to_ns":"{AT + 1}"'.encode() in made.line
    previous: JsonValue = {"chain": str(CHAIN), "batch_no": 2**60, "batch_hash": HASH.hex()}
    told = event("continue", reason="reset", previous=previous).line
    assert b'"batch_no":"1152921504606846976"' in told
    # A flag is no number, whatever Python thinks.
    assert b'"to_ns":true' in event("x", to_ns=True).line


@pytest.mark.parametrize(("value", "read"), [(5, 5), ("5", 5), ("-9223372036854775808", -(2**63))])
def test_an_integer_field_is_read_from_number_or_digits(value: JsonValue, read: int) -> None:
    assert event("x", n=value).integer("n") == read


@pytest.mark.parametrize("value", [None, True, "x", "5 ", [5]])
def test_what_is_no_integer_is_not_read_as_one(value: JsonValue) -> None:
    with refused(Code.EVENT):
        event("x", n=value).integer("n")
    with refused(Code.EVENT):
        event("x", n=value).integer("other")


@given(number=st.integers(-(2**64), 2**64))
def test_nanoseconds_are_the_digits_of_an_i64(number: int) -> None:
    assert is_nanoseconds(str(number)) == (-(2**63) <= number < 2**63)


@given(at=st.integers(-(2**63), 2**63 - 1), text=st.text(max_size=20))
def test_an_event_survives_its_line(at: int, text: str) -> None:
    made = Event(type="note", at_ns=at, mono_ns=0, fields={"who": text, "text": text})
    assert parse_event(made.line) == made
    assert parse_event(made.line).line == made.line


def test_an_event_without_fields_is_one() -> None:
    made = Event(type="tick", at_ns=1, mono_ns=2)
    assert made.line == b'{"at_ns":"1","mono_ns":"2","type":"tick"}'


def test_what_every_event_has_is_no_field() -> None:
    with pytest.raises(ValueError, match="at_ns"):
        event("note", at_ns=5)


GENESIS = BatchFlag.GENESIS
NONE = BatchFlag(0)
ROTATED = event("key_rotated", key=HASH.hex(), proof="00")


@pytest.mark.parametrize(
    ("events", "flags"),
    [
        pytest.param([], NONE, id="none"),
        pytest.param([event(), event()], NONE, id="notes"),
        pytest.param([beginning()], GENESIS, id="the first of a genesis"),
        pytest.param([beginning(), loss()], GENESIS | BatchFlag.LOSS, id="loss in a genesis"),
        pytest.param([loss(), event(), loss()], BatchFlag.LOSS, id="two losses"),
        pytest.param([event(), ROTATED], NONE, id="rotated last"),
    ],
)
def test_events_where_they_may_stand_are_returned(events: list[Event], flags: BatchFlag) -> None:
    found = check_events([one.line for one in events], flags=flags)
    assert [one.line for one in found] == [one.line for one in events]


@pytest.mark.parametrize(
    ("events", "flags"),
    [
        pytest.param([], GENESIS, id="a genesis without events"),
        pytest.param([event()], GENESIS, id="a genesis without continue"),
        pytest.param([event(), beginning()], GENESIS, id="continue second"),
        pytest.param([beginning(), beginning()], GENESIS, id="continue twice"),
        pytest.param([beginning()], NONE, id="continue outside a genesis"),
        pytest.param([event(), beginning()], NONE, id="continue later outside a genesis"),
        pytest.param([loss()], NONE, id="a loss without its flag"),
        pytest.param([event()], BatchFlag.LOSS, id="the flag without a loss"),
        pytest.param([ROTATED, event()], NONE, id="something after key_rotated"),
    ],
)
def test_events_where_they_may_not_stand_are_refused(events: list[Event], flags: BatchFlag) -> None:
    with refused(Code.EVENT):
        check_events([one.line for one in events], flags=flags)
