"""What is left of a batch whose readings are given up, and the signed words about it; pure.

Header, signature and events stay, and the proof that they belong together: a headstone. Only a copy
that is damaged leaves nothing (docs/wire-format.md sections 9 and 10).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from edge_agent.buffer.retention import Span
from edge_agent.clock import Instant
from edge_agent.wire.arrow import rows_of_stream
from edge_agent.wire.batch import open_body
from edge_agent.wire.events import LOSS, Event
from edge_agent.wire.header import Header, batch_hash
from edge_agent.wire.headstone import make_headstone, open_headstone
from edge_agent.wire.refusal import RefusedError
from edge_agent.wire.vocabulary import Hash


class LossReason(StrEnum):
    """Why readings were given up, as the loss event says it."""

    QUOTA = "quota"
    DISK_FULL = "disk_full"
    DAMAGED_COPY = "damaged_copy"


class Copy(NamedTuple):
    """A batch as it is on the disk, damaged or not; `batch_hash` stands beside it."""

    position: int
    batch_hash: bytes
    header: bytes
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenUp:
    """One batch without its readings.

    Attributes:
        position: of the batch.
        span: up to its position; no other batch in it holds readings.
        header: of the batch.
        batch_hash: its name; None where the header is not the one that was signed.
        readings: how many are given up now.
        body: its headstone; empty where nothing could be kept.
        body_bytes: what its body took before.
        from_ns: the earliest of its readings, UTC ns.
        to_ns: the latest of its readings, UTC ns.

    """

    position: int
    span: Span
    header: Header
    batch_hash: Hash | None
    readings: int
    body: bytes
    body_bytes: int
    from_ns: int
    to_ns: int


def given_up(stored: Copy, *, since: int) -> GivenUp:
    """Return what stays of a stored batch.

    Args:
        stored: as it is on the disk.
        since: first position of a span in which no other batch holds readings.

    Raises:
        RefusedError: not even its header can be read.

    """
    header = Header.unpack(stored.header)
    is_named = batch_hash(stored.header) == stored.batch_hash
    try:
        parts = open_body(header, stored.body)
        rows = rows_of_stream(parts.readings)
        stone = make_headstone(rows, parts.event_lines).pack()
        open_headstone(header, stone)
    except RefusedError:
        stone, from_ns, to_ns = b"", header.wall_ns, header.wall_ns
    else:
        has_rows = len(rows) > 0
        from_ns = int(rows["at"].min()) if has_rows else header.wall_ns
        to_ns = int(rows["at"].max()) if has_rows else header.wall_ns
    return GivenUp(
        position=stored.position,
        span=Span(first=since, last=stored.position),
        header=header,
        batch_hash=Hash(stored.batch_hash) if is_named else None,
        readings=header.record_count,
        body=stone,
        body_bytes=len(stored.body),
        from_ns=from_ns,
        to_ns=to_ns,
    )


def is_headstone(header_bytes: bytes, body: bytes) -> bool:
    """Return whether a body is the headstone that its header vouches for."""
    try:
        open_headstone(Header.unpack(header_bytes), body)
    except RefusedError:
        return False
    return True


def losses(given: Sequence[GivenUp], *, reason: LossReason, at: Instant) -> Iterator[Event]:
    """Yield one loss event for each run of neighbours in one chain.

    A batch of which nothing is left is told by itself and by name: only its own event says which
    batch it was, and which was before it.

    Args:
        given: by rising position.
        reason: of those that leave a headstone.
        at: now.

    """
    for run in _neighbours(given):
        first, last = run[0].header, run[-1].header
        is_gone = not run[0].body
        names: dict[str, str] = {}
        if is_gone and run[0].batch_hash is not None:
            names = {
                "batch_hash": run[0].batch_hash.hex(),
                "prev_batch_hash": first.prev_batch_hash.hex(),
            }
        yield Event(
            type=LOSS,
            at_ns=at.utc_ns,
            mono_ns=at.mono_ns,
            fields={
                "chain": str(first.chain_id),
                "first_batch": first.batch_no,
                "last_batch": last.batch_no,
                "first_seq": first.first_seq,
                "last_seq": max(first.first_seq, last.next_seq - 1),
                "channels": [],
                "from_ns": min(one.from_ns for one in run),
                "to_ns": max(one.to_ns for one in run),
                "reason": (LossReason.DAMAGED_COPY if is_gone else reason).value,
                "readings": str(sum(one.readings for one in run)),
                **names,
            },
        )


def _neighbours(given: Sequence[GivenUp]) -> Iterator[list[GivenUp]]:
    run: list[GivenUp] = []
    for one in given:
        if run and not _joins(run[-1], one):
            yield run
            run = []
        run.append(one)
    if run:
        yield run


def _joins(before: GivenUp, one: GivenUp) -> bool:
    """Return whether one event tells of both: neighbours that both leave a headstone."""
    last, first = before.header, one.header
    is_next = (last.chain_id, last.batch_no + 1) == (first.chain_id, first.batch_no)
    return is_next and bool(before.body) and bool(one.body)
