"""Whether the newest batches of a gateway are whole: signed, in line, without gap or duplicate.

Pure but for the bytes it is handed. A batch is verified in every byte, as the centre would. What
was sealed before the time that is asked about is only listened to: a gap may reach into it.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from edge_agent.buffer.lately import Batch
from edge_agent.wire.arrow import rows_of_stream
from edge_agent.wire.batch import check_content, open_body
from edge_agent.wire.chain import link_fault, successor_fault
from edge_agent.wire.events import Event, check_events, parse_event
from edge_agent.wire.header import Header, batch_hash
from edge_agent.wire.headstone import open_headstone
from edge_agent.wire.readings import RowArray
from edge_agent.wire.refusal import RefusedError
from edge_agent.wire.signing import BATCH_CONTEXT, VerifyingKey
from edge_agent.wire.vocabulary import Hash

# So many of the newest rows are compared with one another; more would take the memory of a gateway.
MOST_ROWS: Final = 2_000_000
# What makes two rows the same reading told twice: one channel, one time, one raw and status word.
_SAME: Final = ["channel", "at", "raw", "status"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Readings that were never taken, as the newest event of the gap tells it; UTC ns."""

    channels: tuple[int, ...]
    from_ns: int
    to_ns: int | None
    missed: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The time that is asked about, UTC ns, and the longest pause in it that needs no reason."""

    since_ns: int
    now_ns: int
    pause_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What was found.

    Attributes:
        batches: looked at.
        receipted: of these, the centre has given its receipt.
        absent: given up meanwhile against a receipt: the centre has them.
        readings: in the verified batches.
        compared: of these, compared for duplicates.
        duplicates: told more than once.
        gaps: that lie in the time or reach into it.
        losses: events about readings that were given up.
        pauses: from when to when nothing was stored at all, UTC ns: the agent did not run.
        faults: what does not verify, a sentence each.

    """

    batches: int
    receipted: int
    absent: int
    readings: int
    compared: int
    duplicates: int
    gaps: tuple[Gap, ...]
    losses: int
    pauses: tuple[tuple[int, int], ...]
    faults: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        """Whether every reading that was due is there, once, and verifies."""
        return not (self.faults or self.duplicates or self.gaps or self.losses or self.pauses)


@dataclass(slots=True)
class _Walk:
    """One pass over batches, in order of position."""

    key: VerifyingKey
    span: Span
    before: Header | None = None
    before_hash: bytes = b""
    position: int = 0
    batches: int = 0
    receipted: int = 0
    absent: int = 0
    readings: int = 0
    losses: int = 0
    rows: list[RowArray] = field(default_factory=list)
    gaps: dict[tuple[tuple[int, ...], int], Gap] = field(default_factory=dict)
    sealed_ns: int = 0
    pauses: list[tuple[int, int]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def take(self, batch: Batch) -> None:
        """Verify one batch and count what is in it; listen to an earlier one."""
        with suppress(RefusedError):
            header = Header.unpack(batch.header)
            if batch.position == self.position + 1:
                self.note_pause(header.wall_ns)
            self.sealed_ns = header.wall_ns
            if header.wall_ns < self.span.since_ns:
                self.position = batch.position
                self._listen(header, batch)
                return
        self.batches += 1
        self.receipted += batch.is_receipted
        if self.position > 0:  # numbers that are missing below zero were lost, and that is told
            self.absent += batch.position - self.position - 1
        try:
            header = self._verified(batch)
        except RefusedError as error:
            self.faults.append(f"batch {batch.position}: {error}")
            self.before = None
        else:
            self.before, self.before_hash = header, batch.batch_hash
        self.position = batch.position

    def note_pause(self, sealed_ns: int) -> None:
        """Note a time in which nothing was stored, as far as it is asked about."""
        if self.sealed_ns and sealed_ns - self.sealed_ns > self.span.pause_ns:
            begin_ns = max(self.sealed_ns, self.span.since_ns)
            if sealed_ns > begin_ns:
                self.pauses.append((begin_ns, sealed_ns))

    def _listen(self, header: Header, batch: Batch) -> None:
        """Take in the gaps of a batch that is not asked about."""
        for line in _event_lines(header, batch):
            event = parse_event(line)
            if event.type == "gap":
                self._hear(event)

    def _verified(self, batch: Batch) -> Header:
        """Return the header of a batch that verifies, after its content was counted.

        Raises:
            RefusedError: it does not.

        """
        header = Header.unpack(batch.header)
        if header.key_id == self.key.key_id:
            self.key.verify(BATCH_CONTEXT, batch.header, batch.signature)
        else:
            self.faults.append(f"batch {batch.position}: signed with another key than the present")
        if batch_hash(batch.header) != batch.batch_hash:
            self.faults.append(f"batch {batch.position}: its header does not have its hash")
        self._compare_with_before(batch, header)
        if batch.is_headstone:
            for event in check_events(_event_lines(header, batch), flags=header.flags):
                self._hear(event)
            return header
        parts = open_body(header, batch.body)
        rows = rows_of_stream(parts.readings)
        for event in check_content(header, rows, parts.event_lines):
            self._hear(event)
        self.readings += len(rows)
        self.rows.append(rows)
        return header

    def _compare_with_before(self, batch: Batch, header: Header) -> None:
        before = self.before
        if before is None or header.is_genesis or batch.position != self.position + 1:
            return
        fault = link_fault(before, Hash(self.before_hash), header)
        fault = fault or successor_fault(before, header)
        if fault is not None:
            self.faults.append(f"batch {batch.position}: {fault}")

    def _hear(self, event: Event) -> None:
        if event.type == "loss":
            self.losses += 1
        channels = event.fields.get("channels")
        if event.type != "gap" or not isinstance(channels, list):
            return
        to_ns = event.fields.get("to_ns")
        gap = Gap(
            channels=tuple(int(str(channel)) for channel in channels),
            from_ns=event.integer("from_ns"),
            to_ns=None if to_ns is None else event.integer("to_ns"),
            missed=event.integer("missed"),
            reason=str(event.fields["reason"]),
        )
        self.gaps[gap.channels, gap.from_ns] = gap


def proof_of(batches: Iterable[Batch], key: VerifyingKey, span: Span) -> Proof:
    """Return what is found in batches, oldest first, of the gateway with this key.

    Args:
        batches: those of the span, and some before it: gaps are told once an hour while open.
        key: the present one of the gateway.
        span: the time that is asked about.

    """
    walk = _Walk(key, span)
    for batch in batches:
        walk.take(batch)
    walk.note_pause(span.now_ns)
    since_ns = span.since_ns
    compared, duplicates = _duplicates(walk.rows)
    return Proof(
        batches=walk.batches,
        receipted=walk.receipted,
        absent=walk.absent,
        readings=walk.readings,
        compared=compared,
        duplicates=duplicates,
        gaps=tuple(one for one in walk.gaps.values() if one.to_ns is None or one.to_ns > since_ns),
        losses=walk.losses,
        pauses=tuple(walk.pauses),
        faults=tuple(walk.faults),
    )


def _event_lines(header: Header, batch: Batch) -> tuple[bytes, ...]:
    if batch.is_headstone:
        return open_headstone(header, batch.body).event_lines
    return open_body(header, batch.body).event_lines


def _duplicates(parts: Sequence[RowArray]) -> tuple[int, int]:
    """Return how many rows were compared, the newest first, and how many of them are not new."""
    kept: list[RowArray] = []
    count = 0
    for rows in reversed(parts):
        if count + len(rows) > MOST_ROWS:
            break
        kept.append(rows[_SAME])
        count += len(rows)
    if not count:
        return 0, 0
    return count, count - len(np.unique(np.concatenate(kept)))
