"""Good bytes and values from which the tests of the wire are made, and broken one at a time."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, TypeVar, Unpack
from uuid import UUID

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edge_agent.wire.batch import Origin, Position, SignedBatch, Stamp, seal
from edge_agent.wire.canonical import JsonValue
from edge_agent.wire.events import Event
from edge_agent.wire.header import Header
from edge_agent.wire.readings import ROW, Readings, RowArray, rows_of
from edge_agent.wire.refusal import Code, RefusedError
from edge_agent.wire.signing import SigningKey
from edge_agent.wire.vocabulary import NO_HASH, BatchFlag, ClockState, Hash
from tests.header_fields import HeaderFields

T = TypeVar("T")

GATEWAY: Final = UUID("6f1d2a44-9f0b-4c6e-8a59-0d5b7c3e1f20")
CHAIN: Final = UUID("0b7c1a52-3f64-4d0e-9a71-5e2d8c4b6a90")
BOOT: Final = UUID("c0ffee00-1234-4abc-8def-0123456789ab")
OTHER: Final = UUID("ffffffff-ffff-4fff-8fff-ffffffffffff")
AT: Final = 1_795_000_000_000_000_000
KEY: Final = SigningKey.from_seed(bytes(range(32)))
OTHER_KEY: Final = SigningKey.from_seed(bytes(range(1, 33)))
HASH: Final = Hash(bytes(range(32)))

STAMP: Final = Stamp(
    boot_count=3,
    boot_id=BOOT,
    mono_ns=5_000_000_000,
    wall_ns=AT,
    wall_unc_ms=12,
    clock_state=ClockState.NTP,
)
ORIGIN: Final = Origin(gateway_id=GATEWAY, config_hash=HASH, software_hash=NO_HASH, key=KEY)
LATER: Final = Position(chain_id=CHAIN, batch_no=7, first_seq=70, prev_batch_hash=HASH)

GOOD_HEADER: Final = Header(
    flags=BatchFlag(0),
    gateway_id=GATEWAY,
    chain_id=CHAIN,
    batch_no=7,
    first_seq=70,
    record_count=6,
    boot_count=3,
    boot_id=BOOT,
    mono_ns=5_000_000_000,
    wall_ns=AT,
    wall_unc_ms=12,
    clock_state=ClockState.NTP,
    payload_len=1_000,
    prev_batch_hash=HASH,
    payload_sha256=HASH,
    record_root=HASH,
    config_hash=HASH,
    software_hash=NO_HASH,
    key_id=KEY.key_id,
)


def event(kind: str = "note", **fields: JsonValue) -> Event:
    """Return an event; a note unless another type and its fields are given."""
    note: dict[str, JsonValue] = {"who": "tester", "text": "wind from the west"}
    return Event(type=kind, at_ns=AT, mono_ns=5, fields=fields or note)


def beginning() -> Event:
    """Return the event that begins the first chain of a gateway."""
    return event("continue", reason="enrol", previous=None)


def loss() -> Event:
    """Return a loss of one batch."""
    return event(
        "loss",
        chain=str(CHAIN),
        first_batch=3,
        last_batch=3,
        first_seq=30,
        last_seq=39,
        channels=[],
        from_ns=AT,
        to_ns=AT + 1,
        reason="storage_full",
    )


def scans(*channel_counts: int) -> RowArray:
    """Return the rows of one scan for each count of channels."""
    return rows_of(
        [
            Readings(
                at_ns=AT + index,
                mono_ns=index,
                channel=np.arange(1, count + 1, dtype=np.uint32),
                raw=np.arange(count, dtype=np.int64) * 100 - index,
                status=np.full(count, index, dtype=np.uint32),
                quality=np.full(count, 1 << 31, dtype=np.uint32),
            )
            for index, count in enumerate(channel_counts)
        ]
    )


def sealed(
    rows: RowArray,
    events: Sequence[Event] = (),
    *,
    position: Position = LATER,
    flags: BatchFlag = BatchFlag(0),  # noqa: B008 - an immutable number
) -> SignedBatch:
    """Return a good signed batch."""
    lines = [one.line for one in events]
    return seal(rows, lines, position=position, stamp=STAMP, origin=ORIGIN, flags=flags)


def header(**changes: Unpack[HeaderFields]) -> Header:
    """Return the good header with other values."""
    return replace(GOOD_HEADER, **changes)


def refused(code: Code) -> "pytest.RaisesExc[RefusedError]":
    """Return a context that demands a refusal with this code."""
    return pytest.RaisesExc(RefusedError, check=lambda error: error.code is code)


def unless_refused(code: Code, call: Callable[[], T]) -> T | None:
    """Return what the call returns, None if it is refused with this code; no other error passes."""
    try:
        return call()
    except RefusedError as error:
        if error.code is not code:
            raise
        return None


def row_arrays(max_rows: int = 40) -> st.SearchStrategy[RowArray]:
    """Return rows of any bits whatsoever, except that scans are numbered by the rules."""
    rises = st.integers(1, max_rows).flatmap(
        lambda count: hnp.arrays(np.uint32, count, elements=st.integers(0, 1))
    )

    def rows(rise: np.ndarray[tuple[int], np.dtype[np.uint32]], seed: int) -> RowArray:
        count = len(rise)
        made = np.frombuffer(np.random.default_rng(seed).bytes(count * ROW.itemsize), ROW).copy()
        rise[0] = 0
        made["scan"] = np.cumsum(rise)
        return made

    return st.builds(rows, rises, st.integers(0, 2**32 - 1))
