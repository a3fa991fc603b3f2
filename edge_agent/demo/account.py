"""What became of every reading of a demonstration: taken, delivered, buffered, explained.

Counted from both ends: the gateway's buffer says what was taken, the centre's batches, each
verified here with the gateway's public key, say what arrived.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from edge_agent.wire.batch import open_body
from edge_agent.wire.events import parse_event
from edge_agent.wire.frame import BatchFrame
from edge_agent.wire.header import Header
from edge_agent.wire.refusal import RefusedError
from edge_agent.wire.signing import BATCH_CONTEXT, VerifyingKey

# The demonstration is a success when so much of what was due was taken, and so much of it arrived.
TAKEN_OF_DUE, DELIVERED_OF_TAKEN = 0.95, 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """What the centre holds, as far as it verifies.

    Attributes:
        readings: rows of verified batches.
        duplicates: rows whose sequence number another batch has as well.
        batches_verified: batches whose signature and payload hash hold.
        batches_failed: the others.
        gaps: gaps that were opened.

    """

    readings: int
    duplicates: int
    batches_verified: int
    batches_failed: int
    gaps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The account of a whole demonstration; counts of readings and batches."""

    seconds: float
    due: int
    taken: int
    delivered: int
    buffered: int
    duplicates: int
    batches_verified: int
    batches_failed: int
    gaps: int
    hourly_values: int
    explained: bool
    protocols: tuple[str, ...]

    @property
    def is_complete(self) -> bool:
        """Whether every reading is accounted for and the line did its work."""
        return (
            self.taken >= TAKEN_OF_DUE * self.due
            and self.taken == self.delivered + self.buffered
            and self.delivered >= DELIVERED_OF_TAKEN * self.taken > 0
            and not self.duplicates
            and not self.batches_failed
            and self.hourly_values > 0
            and self.explained
        )

    def facts(self) -> dict[str, object]:
        """Return the account as it is written to DEMO_JSON."""
        return {**asdict(self), "protocols": list(self.protocols), "complete": self.is_complete}

    def text(self) -> str:
        """Return the account in words."""
        is_balanced = self.taken == self.delivered + self.buffered
        balance = "every reading is accounted for" if is_balanced else "READINGS ARE MISSING"
        explained = "one followed back to its signatures" if self.explained else "none explained"
        share = f"{self.taken / max(self.due, 1):.1%} of those due"
        if self.taken > self.due:
            share += ": events of DNP3 come besides"
        lines = [
            f"{self.seconds:.0f} s over {', '.join(self.protocols)}",
            f"readings due        {self.due:>8}",
            f"         taken      {self.taken:>8}   {share}",
            f"         delivered  {self.delivered:>8}   verified with the gateway's public key",
            f"         buffered   {self.buffered:>8}   durable on the gateway, not yet receipted",
            f"         duplicates {self.duplicates:>8}   {balance}",
            f"batches  verified   {self.batches_verified:>8}   {self.batches_failed} failed",
            f"gaps                {self.gaps:>8}",
            f"hourly values       {self.hourly_values:>8}   {explained}",
            "result                     " + ("complete" if self.is_complete else "NOT COMPLETE"),
        ]
        return "\n".join(lines)


def arrived(frames: Iterable[BatchFrame], key: VerifyingKey) -> Arrived:
    """Return what verifies of the batches the centre holds."""
    numbers: set[tuple[bytes, int]] = set()
    readings = verified = failed = gaps = 0
    for frame in frames:
        try:
            key.verify(BATCH_CONTEXT, frame.header_bytes, frame.signature)
            header = Header.unpack(frame.header_bytes)
            events = [parse_event(line) for line in open_body(header, frame.body).event_lines]
        except RefusedError:
            failed += 1
            continue
        verified += 1
        readings += header.record_count
        chain = header.chain_id.bytes
        numbers |= {(chain, number) for number in range(header.first_seq, header.next_seq)}
        gaps += sum(event.type == "gap" and event.fields["state"] == "open" for event in events)
    return Arrived(
        readings=readings,
        duplicates=readings - len(numbers),
        batches_verified=verified,
        batches_failed=failed,
        gaps=gaps,
    )
