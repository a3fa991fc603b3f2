"""Damaged vectors, second half: what was signed breaks the format, so it is kept as evidence.

One rule is broken in each, everything else is good, and what the header vouches for was signed anew
after the damage, so that exactly the named rule decides.
"""

import struct
from collections.abc import Iterator, Mapping
from typing import Final

from edge_agent.wire.arrow import END_MARKER, SCHEMA_MESSAGE, arrow_stream
from edge_agent.wire.refusal import Code
from edge_agent.wire.vocabulary import BatchFlag
from tests.vectors.damage import Damage, damage
from tests.vectors.good import Document
from tests.vectors.pieces import (
    AT_NS,
    EVENTFUL,
    GENESIS,
    ORDINARY,
    event,
    made,
    resigned,
    rows,
    with_parts,
    with_payload,
)


def documents() -> Mapping[str, Document]:
    """Return these vectors by name; the name begins with the code."""
    makers = (_parts, _arrow, _scans, _events)
    return {one.name: one.document for maker in makers for one in maker()}


def _parts() -> Iterator[Damage]:
    payload = ORDINARY.payload

    def parted(name: str, changed: bytes, why: str) -> Damage:
        return damage(Code.PARTS, name, with_payload(ORDINARY, changed), why)

    longer = (len(payload)).to_bytes(4, "little") + payload[4:]
    yield parted("readings_length", longer, "readings_length points beyond the end")
    yield parted("byte_behind", payload + b"\0", "nothing stands behind the events")
    yield parted("no_events_length", payload[:-4], "events_length must be there, also if 0")
    yield parted(
        "line_without_end", payload[:-4] + b"\x02\0\0\0{}", "each event is ended by one 0x0A"
    )
    many = b'{"at_ns":"0","mono_ns":"0","type":"x"}\n' * 1_025
    yield parted(
        "too_many_events",
        payload[:-4] + len(many).to_bytes(4, "little") + many,
        "a batch has at most 1,024 events",
    )


_ONE_ROW: Final = rows((0, 1, 7, 0, 0))

# The record-batch message that pyarrow writes for _ONE_ROW under body compression with zstd.
_COMPRESSED: Final = bytes.fromhex(
    "ffffffffc001000014000000000000000c0018000600050008000c000c000000000304001c000000c0000000"
    "00000000000000000c001e001000040008000c000c0000001001000024000000180000000100000000000000"
    "00000000000006000800070006000000000000010e0000000000000000000000000000000000000000000000"
    "0000000015000000000000001800000000000000000000000000000018000000000000001500000000000000"
    "3000000000000000000000000000000030000000000000001900000000000000500000000000000000000000"
    "0000000050000000000000001900000000000000700000000000000000000000000000007000000000000000"
    "19000000000000009000000000000000000000000000000090000000000000001500000000000000a8000000"
    "000000000000000000000000a800000000000000150000000000000000000000070000000100000000000000"
    "0000000000000000010000000000000000000000000000000100000000000000000000000000000001000000"
    "0000000000000000000000000100000000000000000000000000000001000000000000000000000000000000"
    "01000000000000000000000000000000040000000000000028b52ffd20042100000000000000000004000000"
    "0000000028b52ffd200421000001000000000000080000000000000028b52ffd200841000000001ff25a23e9"
    "1800000000000000080000000000000028b52ffd200841000000004f91944e00000000000000000008000000"
    "0000000028b52ffd2008410000070000000000000000000000000000040000000000000028b52ffd20042100"
    "0000000000000000040000000000000028b52ffd200421000000000000000000"
)


def _arrow() -> Iterator[Damage]:
    good = arrow_stream(ORDINARY.rows)
    batch = good[len(SCHEMA_MESSAGE) : -len(END_MARKER)]

    def streamed(code: Code, name: str, stream: bytes, why: str) -> Damage:
        return damage(code, name, with_parts(ORDINARY, stream, ()), why)

    def patched(offset: int, layout: str, value: int) -> bytes:
        stream = bytearray(good)
        struct.pack_into(layout, stream, offset, value)
        return bytes(stream)

    arrow, schema = Code.ARROW, Code.SCHEMA
    yield streamed(arrow, "no_end_marker", good[:-8], "a stream is ended by its marker")
    yield streamed(arrow, "byte_behind", good + b"\0", "nothing stands behind the end marker")
    yield streamed(arrow, "no_continuation", good[4:], "a message begins with FFFFFFFF")
    yield streamed(arrow, "version_4", patched(30, "B", 3), "metadata version is 5, written as 4")
    yield streamed(
        arrow,
        "two_record_batches",
        SCHEMA_MESSAGE + batch + batch + END_MARKER,
        "there is exactly one record batch",
    )
    compressed = SCHEMA_MESSAGE + _COMPRESSED + END_MARKER
    yield damage(
        arrow,
        "compressed_body",
        with_parts(made(_ONE_ROW, after=GENESIS), compressed, ()),
        "no body compression: a reader would allocate before it could look",
    )
    yield streamed(
        arrow,
        "no_record_batch",
        SCHEMA_MESSAGE + END_MARKER,
        "no rows are no stream at all, not a stream without rows",
    )
    renamed = good.replace(b"\x03\0\0\0raw\0", b"\x03\0\0\0row\0")
    yield streamed(schema, "column_renamed", renamed, "the fifth column is raw, not row")
    narrow = good.replace(bytes.fromhex("defeffff20000000"), bytes.fromhex("defeffff10000000"))
    yield streamed(schema, "column_narrowed", narrow, "quality is u32, not u16")


def _scans() -> Iterator[Damage]:
    for name, numbers, why in (
        ("first_is_1", ((1, 1), (1, 2)), "scans start at 0"),
        ("rise_by_2", ((0, 1), (2, 1)), "scans rise by 0 or 1"),
        ("fall", ((0, 1), (1, 1), (0, 2)), "the rows of a scan stand together"),
        ("channel_0", ((0, 0), (0, 1)), "channel 0 is never used"),
        ("channel_twice", ((0, 1), (0, 1)), "channels rise strictly within a scan"),
    ):
        broken = made(rows(*((*pair, 7, 0, 0) for pair in numbers)), after=GENESIS)
        yield damage(Code.SCANS, name, broken, why)
    fewer = resigned(ORDINARY, record_count=4)
    yield damage(Code.COUNT, "a_row_more", fewer, "record_count is 4, there are 5 rows")
    other = resigned(ORDINARY, record_root=EVENTFUL.header.record_root)
    yield damage(Code.ROOT, "of_another", other, "record_root is that of another batch")


def _events() -> Iterator[Damage]:
    some = rows((0, 1, 7, 0, 0))
    times = b'"at_ns":"%d","mono_ns":"5",' % AT_NS

    def lined(name: str, line: bytes, why: str) -> Damage:
        return damage(Code.EVENT, name, made(some, [line], after=GENESIS), why)

    yield lined("space", b'{"type": "x"}', "canonical JSON has no space")
    yield lined("order", b'{"type":"x",' + times[:-1] + b"}", "keys stand in order")
    yield lined("fraction", b"{" + times + b'"n":0.5,"type":"x"}', "no fractions: text instead")
    yield lined(
        "wide_integer",
        b"{" + times + b'"n":9007199254740992,"type":"x"}',
        "integers of 2^53 and more are text",
    )
    yield lined("capital_key", b'{"A":1,' + times + b'"type":"x"}', "keys are of small letters")
    yield lined("number_as_time", b'{"at_ns":5,"mono_ns":"5","type":"x"}', "times are text")
    yield lined("field_missing", b"{" + times + b'"type":"note","who":"x"}', "a note has a text")
    begin = event("continue", reason="enrol", previous=None)
    yield damage(
        Code.EVENT,
        "continue_elsewhere",
        made(some, [begin], after=GENESIS),
        "continue stands in a genesis only",
    )
    yield damage(
        Code.EVENT,
        "genesis_without_continue",
        made(some, [event("note", who="x", text="y")]),
        "continue is the first event of every genesis",
    )
    yield damage(
        Code.EVENT,
        "loss_flag",
        made(some, after=GENESIS, flags=BatchFlag.LOSS),
        "flag 2 without a loss event",
    )
