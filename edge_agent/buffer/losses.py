"""What of a chain is nowhere any more, as the fields of signed `loss` events; pure.

A loss may name more than is lost, never less: it counts only for batches that the centre does not
have (docs/wire-format.md section 10).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from edge_agent.buffer.retention import Span, united
from edge_agent.wire.canonical import JsonValue

REASON: Final = "damaged storage"
# More holes than these in one chain are told as one: an event is a line, and a batch has few.
MOST_EVENTS: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a verified header says of one batch of a chain."""

    batch_no: int
    first_seq: int
    next_seq: int
    wall_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """Batches first to last of one chain, and what is known of their readings.

    Attributes:
        chain_id: the chain.
        numbers: of the batches; some between them may exist.
        first_seq: of their readings; too low rather than too high.
        next_seq: of the reading behind them.
        from_ns: UTC ns; nothing of them was taken before it, as far as is known.
        to_ns: UTC ns; nothing after it.
        reason: why.

    """

    chain_id: UUID
    numbers: Span
    first_seq: int
    next_seq: int
    from_ns: int
    to_ns: int
    reason: str = REASON

    @property
    def fields(self) -> dict[str, JsonValue]:
        """The fields of the event; `readings` beside them, because none may be among them."""
        return {
            "chain": str(self.chain_id),
            "first_batch": self.numbers.first,
            "last_batch": self.numbers.last,
            "first_seq": self.first_seq,
            "last_seq": max(self.first_seq, self.next_seq - 1),
            "channels": [],
            "from_ns": self.from_ns,
            "to_ns": self.to_ns,
            "reason": self.reason,
            "readings": str(self.next_seq - self.first_seq),
        }


def holes(present: Iterable[Span], last_no: int) -> tuple[Span, ...]:
    """Return the numbers from 0 to `last_no` that are not present; at most MOST_EVENTS spans."""
    found: list[Span] = []
    next_no = 0
    for span in united(present):
        if next_no < span.first:
            found.append(Span(first=next_no, last=min(span.first - 1, last_no)))
        next_no = max(next_no, span.last + 1)
        if next_no > last_no:
            break
    if next_no <= last_no:
        found.append(Span(first=next_no, last=last_no))
    if len(found) > MOST_EVENTS:
        return (Span(first=found[0].first, last=found[-1].last),)
    return tuple(found)


def losses(
    chain_id: UUID, lost: Iterable[Span], known: Sequence[Known], *, begin_ns: int, now_ns: int
) -> Iterator[Loss]:
    """Yield one loss for each hole.

    Args:
        chain_id: the chain.
        lost: numbers that are nowhere.
        known: what headers tell, of the batches beside the holes and perhaps of those in them.
        begin_ns: UTC ns: nothing was taken before it.
        now_ns: UTC ns: nothing was taken after it.

    """
    ordered = sorted(known, key=lambda one: one.batch_no)
    for hole in lost:
        before = [one for one in ordered if one.batch_no < hole.first]
        inside = [one for one in ordered if hole.first <= one.batch_no <= hole.last]
        after = [one for one in ordered if one.batch_no > hole.last]
        first_seq = before[-1].next_seq if before else 0
        # A hole whose end is known ends there; else what follows bounds it.
        ends = [one for one in inside if one.batch_no == hole.last]
        end = ends[0].next_seq if ends else after[0].first_seq if after else None
        if end is None:
            end = max((one.next_seq for one in inside), default=first_seq)
        to_ns = ends[0].wall_ns if ends else after[0].wall_ns if after else now_ns
        from_ns = min(before[-1].wall_ns if before else begin_ns, to_ns)
        yield Loss(
            chain_id=chain_id,
            numbers=hole,
            first_seq=first_seq,
            next_seq=max(first_seq, end),
            from_ns=from_ns,
            to_ns=to_ns,
        )
