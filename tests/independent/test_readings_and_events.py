"""Every rule for readings and events, broken once and refused by its name."""

from __future__ import annotations

import re

import pyarrow as pa
import pytest
from ewcheck.faults import InvalidError
from forge import SCHEMA, Made, Row, arrow, batch, event, joined, line
from samples import EVENTS, GOOD, ROWS, judged
from world import genesis_events

END = bytes.fromhex("ffffffff00000000")


def rows_with(index: int, **changes: int) -> list[Row]:
    """Return the good rows with some columns of one row changed."""
    return [*ROWS[:index], ROWS[index]._replace(**changes), *ROWS[index + 1 :]]


def with_readings(readings: bytes) -> Made:
    """Return the good batch with other bytes for its readings."""
    return GOOD.with_payload(joined(readings, EVENTS))


def with_events(*lines: bytes) -> Made:
    """Return a batch of these event lines alone, as they are, root and all."""
    made = batch([], genesis_events())
    part = b"".join(each + b"\n" for each in lines)
    return made.with_payload(joined(b"", part))


def other(index: int, **changes: object) -> pa.Schema:
    """Return the schema with one field changed."""
    old = SCHEMA.field(index)
    wanted = {"name": old.name, "type": old.type, "nullable": False} | changes
    return SCHEMA.set(index, pa.field(wanted["name"], wanted["type"], wanted["nullable"]))


DICTIONARY = pa.dictionary(pa.int32(), pa.int64())
STREAM = arrow(ROWS)
READINGS = [
    ("schema: ", arrow(ROWS, schema=other(2, name="time"))),
    ("schema: ", arrow(ROWS, schema=other(0, type=pa.int64()))),
    ("schema: ", arrow(ROWS, schema=other(0, nullable=True))),
    ("custom metadata in the schema", arrow(ROWS, schema=SCHEMA.with_metadata({"a": "b"}))),
    ("schema: ", arrow(ROWS, schema=SCHEMA.set(0, SCHEMA.field(0).with_metadata({"a": "b"})))),
    ("arrow: message kind", arrow(ROWS, schema=other(4, type=DICTIONARY))),
    ("a compressed body", arrow(ROWS, compression="zstd")),
    ("metadata version", arrow(ROWS, metadata_version=pa.ipc.MetadataVersion.V4)),
    ("no continuation", arrow(ROWS, use_legacy_format=True)),
    ("end marker", STREAM + b"\0"),
    ("end marker", STREAM[: -len(END)]),
    ("end marker", STREAM[: -len(END)] + STREAM[424:]),
    ("arrow: metadata of 0 bytes", STREAM[:424] + END),
    ("arrow: a body", STREAM[:-16]),
    ("count: ", arrow(ROWS[:-1])),
    ("root: ", arrow(rows_with(3, raw=77))),
    ("scans: row 0", arrow([row._replace(scan=1) for row in ROWS])),
    ("scans: row 4", arrow([row._replace(scan=2 * row.scan) for row in ROWS])),
    ("scans: row 7", arrow(rows_with(7, scan=0))),
    ("has channel 1 after 1", arrow(rows_with(1, channel=1))),
    ("has channel 0 after 0", arrow(rows_with(0, channel=0))),
]


@pytest.mark.parametrize(("rule", "readings"), READINGS)
def test_readings_in_another_form_are_refused(rule: str, readings: bytes) -> None:
    with pytest.raises(InvalidError, match=rule):
        judged(with_readings(readings))


NOTE = event("note", who="a", text="b")
LINES = [
    ("not in canonical form", b'{"type": "note"}'),
    ("not in canonical form", b'{"type":"x","mono_ns":"1","at_ns":"1"}'),
    ("not in canonical form", b'{"at_ns":"1","at_ns":"1","mono_ns":"1","type":"x"}'),
    ("not in canonical form", b'{"at_ns":"1","mono_ns":"1","note":"\\u00e4","type":"x"}'),
    ("the number 1.5", line(event("x", a=1.5))),
    ("the number 1e3", b'{"at_ns":"1","big":1e3,"mono_ns":"1","type":"x"}'),
    ("the number NaN", b'{"at_ns":"1","big":NaN,"mono_ns":"1","type":"x"}'),
    ("the integer 9007199254740992", line(event("x", a=[1 << 53]))),
    ("the key 'A'", line(event("x", a={"A": 1}))),
    ("not an object", b"[1]"),
    ("no type", line({"at_ns": "1", "mono_ns": "1"})),
    ("without mono_ns", line({"type": "x", "at_ns": "1"})),
    ("note without text", line(event("note", who="a"))),
    ("at_ns is 1", line(event("x") | {"at_ns": 1})),
    ("at_ns is '01'", line(event("x") | {"at_ns": "01"})),
    ("at_ns is beyond", line(event("x") | {"at_ns": str(1 << 63)})),
    (
        "a gap that is 'shut'",
        line(
            event("gap", state="shut", channels=[1], from_ns="1", to_ns=None, missed=1, reason="r")
        ),
    ),
    ("continue because of 'mood'", line(event("continue", reason="mood", previous=None))),
    ("event: ", b"\xff"),
    ("event: 16385 bytes", line(event("x", a="b" * 16_322))),
    ("event: maximum recursion", b"[" * 9_000),
    ("events: 1025 lines", b"\n".join([line(NOTE)] * 1025)),
]


@pytest.mark.parametrize(("rule", "text"), LINES)
def test_an_event_that_breaks_a_rule_is_refused(rule: str, text: bytes) -> None:
    with pytest.raises(InvalidError, match=re.escape(rule)):
        judged(with_events(text))


def test_the_last_event_line_must_be_ended() -> None:
    with pytest.raises(InvalidError, match="not ended"):
        judged(GOOD.with_payload(joined(arrow(ROWS), EVENTS[:-1])))


def test_strings_escape_as_rfc_8785_says() -> None:
    text = '\x00\x1f\b\t\n\f\r"\\/\x7f\u00e4\u2028\U0001f600'
    made = batch(ROWS, [*genesis_events(), event("note", who="a", text=text)])
    assert judged(made).events[-1]["text"] == text


ROTATED = event("key_rotated", key="ab" * 32, proof="p")
LOSS = event(
    "loss",
    chain="c",
    first_batch=0,
    last_batch=0,
    first_seq="0",
    last_seq="0",
    channels=[],
    from_ns="0",
    to_ns="1",
    reason="full",
)
ORDERS = [
    ("continue is not exactly", batch(ROWS, [NOTE])),
    ("continue is not exactly", batch(ROWS, genesis_events()[:1], GOOD)),
    ("continue is not exactly", batch(ROWS, [*genesis_events(), genesis_events()[0]])),
    ("flag 2", batch(ROWS, [LOSS], GOOD)),
    ("flag 2", batch(ROWS, [NOTE], GOOD).with_header(flags=2)),
    ("key_rotated is not", batch(ROWS, [ROTATED, NOTE], GOOD)),
    ("another configuration", GOOD.with_header(config_hash=b"c" * 32)),
]


@pytest.mark.parametrize(("rule", "made"), ORDERS)
def test_events_that_do_not_stand_where_they_must_are_refused(rule: str, made: Made) -> None:
    with pytest.raises(InvalidError, match=rule):
        judged(made)
