"""Sealing and opening: a batch survives the way, and every piece of it is held to its header."""

from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.wire.arrow import rows_of_stream
from edge_agent.wire.batch import Position, check_content, open_body, record_root, seal
from edge_agent.wire.compression import compress, stored
from edge_agent.wire.header import Header, batch_hash
from edge_agent.wire.merkle import audit_path, event_leaf, root_from_path, scan_leaves
from edge_agent.wire.payload import join
from edge_agent.wire.readings import MAX_ROWS, ROW
from edge_agent.wire.refusal import Code
from edge_agent.wire.signing import BATCH_CONTEXT
from edge_agent.wire.vocabulary import NO_HASH, UNKNOWN_ERROR_MS, BatchFlag, ClockState, Hash
from tests.edge_agent.wire.samples import (
    CHAIN,
    HASH,
    KEY,
    LATER,
    ORIGIN,
    STAMP,
    beginning,
    event,
    header,
    loss,
    refused,
    scans,
    sealed,
)

GENESIS = Position.genesis(CHAIN)
NONE = BatchFlag(0)


@settings(max_examples=40)
@given(counts=st.lists(st.integers(1, 6), max_size=8), event_count=st.integers(0, 3))
def test_a_batch_survives_the_way(counts: list[int], event_count: int) -> None:
    if not counts and not event_count:
        return
    rows, events = scans(*counts), [event()] * event_count
    batch = sealed(rows, events)
    found = Header.unpack(batch.header_bytes)
    KEY.verifying_key.verify(BATCH_CONTEXT, batch.header_bytes, batch.signature)
    parts = open_body(found, batch.body)
    read = rows_of_stream(parts.readings)
    assert read.tolist() == rows.tolist()
    assert [one.line for one in check_content(found, read, parts.event_lines)] == [
        one.line for one in events
    ]
    assert batch.batch_hash == batch_hash(batch.header_bytes)


def test_the_header_says_what_was_sealed() -> None:
    rows, events = scans(2, 1), [event()]
    batch = sealed(rows, events)
    payload = join(open_body(batch.header, batch.body).readings, [events[0].line])
    assert batch.header == header(
        record_count=3,
        payload_len=len(payload),
        payload_sha256=Hash(sha256(payload).digest()),
        record_root=record_root(rows, [events[0].line]),
    )
    assert batch.header_bytes == batch.header.pack()


def test_a_scan_proves_itself_by_its_path() -> None:
    rows, events = scans(2, 1, 3), [event()]
    batch = sealed(rows, events)
    leaves = [*scan_leaves(rows), event_leaf(events[0].line)]
    leaf = Hash(sha256(b"\0" + rows[rows["scan"] == 1].tobytes()).digest())
    path = audit_path(leaves, 1)
    assert root_from_path(leaf, 1, len(leaves), path) == batch.header.record_root


def test_flags_follow_from_what_is_sealed() -> None:
    assert sealed(scans(1)).header.flags == NONE
    assert sealed(scans(), [beginning()], position=GENESIS).header.flags == BatchFlag.GENESIS
    assert sealed(scans(1), [loss()]).header.flags == BatchFlag.LOSS
    last = sealed(scans(1), flags=BatchFlag.LAST_BEFORE_STOP)
    assert last.header.flags == BatchFlag.LAST_BEFORE_STOP
    unset = replace(STAMP, wall_unc_ms=UNKNOWN_ERROR_MS, clock_state=ClockState.UNSET)
    untrusted = seal(scans(1), [], position=LATER, stamp=unset, origin=ORIGIN, flags=NONE)
    assert untrusted.header.flags == BatchFlag.CLOCK_UNTRUSTED


def test_a_genesis_begins_a_chain() -> None:
    genesis = sealed(scans(2), [beginning()], position=GENESIS).header
    assert (genesis.batch_no, genesis.first_seq, genesis.prev_batch_hash) == (0, 0, NO_HASH)


UNORDERED = scans(2)
UNORDERED["channel"] = [2, 1]


def test_nothing_is_signed_that_would_be_refused() -> None:
    cases = [
        (Code.SCANS, UNORDERED, [], LATER, NONE),
        (Code.EVENT, scans(1), [beginning().line], LATER, NONE),
        (Code.EVENT, scans(1), [event().line], GENESIS, NONE),
        (Code.EVENT, scans(1), [event().line], LATER, BatchFlag.LOSS),
        (Code.EVENT, scans(1), [b"{}"], LATER, NONE),
        (Code.EVENT, scans(1), [event("config_applied", config_hash="0" * 64).line], LATER, NONE),
        (Code.PARTS, scans(), [], LATER, NONE),
        (Code.HEADER, scans(), [event(who="", text="x" * 8_000).line] * 600, LATER, NONE),
        (Code.HEADER, scans(1), [], replace(LATER, prev_batch_hash=NO_HASH), NONE),
    ]
    for code, rows, lines, position, flags in cases:
        with refused(code):
            seal(rows, lines, position=position, stamp=STAMP, origin=ORIGIN, flags=flags)


def test_more_rows_than_a_batch_takes_are_a_mistake_of_ours() -> None:
    rows = np.zeros(MAX_ROWS + 1, dtype=ROW)
    rows["channel"] = np.arange(1, MAX_ROWS + 2)
    with pytest.raises(ValueError, match="65537 rows"):
        sealed(rows)


def test_a_configuration_is_named_by_its_own_batches() -> None:
    applied = event("config_applied", config_hash=HASH.hex())
    batch = sealed(scans(1), [applied])
    other = replace(batch.header, config_hash=Hash(b"c" * 32))
    check_content(batch.header, scans(1), [applied.line])
    with refused(Code.EVENT):
        check_content(other, scans(1), [applied.line])


def test_a_body_that_is_not_what_was_signed_is_not_opened() -> None:
    batch = sealed(scans(2))
    payload = join(open_body(batch.header, batch.body).readings, [])
    changed = payload[:-1] + b"\1"
    with refused(Code.PAYLOAD):
        open_body(batch.header, compress(changed))
    with refused(Code.ZSTD):
        open_body(batch.header, payload)
    with refused(Code.ZSTD):
        open_body(batch.header, compress(payload + b"\0"))


def test_a_body_compressed_anew_is_the_same_batch() -> None:
    batch = sealed(scans(2, 2, 2))
    payload = join(open_body(batch.header, batch.body).readings, [])
    assert open_body(batch.header, stored(payload)) == open_body(batch.header, batch.body)


def test_signed_bytes_that_break_the_form_are_refused_as_such() -> None:
    payload = bytes(9)
    made = header(payload_len=9, payload_sha256=Hash(sha256(payload).digest()))
    with refused(Code.PARTS):
        open_body(made, compress(payload))


def test_content_is_checked_in_the_order_of_the_page() -> None:
    """docs/wire-format.md section 12: readings, events, record_count, root, event rules."""
    rows, lines = scans(2, 1), [event().line]
    good = sealed(rows, [event()]).header
    longer, other = scans(2, 2), scans(1, 2)
    sloppy = lines[0].replace(b":", b": ")
    misplaced = [beginning().line]
    for code, some_rows, some_lines in [
        (Code.SCANS, UNORDERED, [sloppy]),
        (Code.EVENT, longer, [sloppy]),
        (Code.COUNT, longer, misplaced),
        (Code.ROOT, other, lines),
        (Code.ROOT, rows, misplaced),
        (Code.ROOT, rows, lines * 2),
    ]:
        with refused(code):
            check_content(good, some_rows, some_lines)
    signed = replace(good, record_root=record_root(rows, misplaced))
    with refused(Code.EVENT):
        check_content(signed, rows, misplaced)
