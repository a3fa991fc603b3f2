"""A gateway in memory: the product's uplink over a buffer in memory.

What stands in the product between its decisions and the world (sockets, tasks) is played here, step
for step as `edge_agent.uplink.client` does it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from edge_agent.buffer.records import Key
from edge_agent.uplink.answer import parse_answer
from edge_agent.uplink.protocol import after, examined, gave_up, interval_began
from edge_agent.uplink.request import need, next_request
from edge_agent.uplink.state import LARGEST_FRAMES, Pause, Request, State
from edge_agent.wire.frame import BatchFrame, FrameFlag, encode_batch, encode_receipt
from tests.simulation.buffer import MemoryBuffer

if TYPE_CHECKING:
    from edge_agent.buffer.records import Head
    from edge_agent.uplink.state import Part
    from edge_agent.wire.vocabulary import Hash
    from tests.simulation.machine import Disk, Image, Life, Sealed


class Gateway:
    """One machine; `disk` may be taken from another."""

    def __init__(self, life: Life, disk: Disk, *, previous: Head | None = None) -> None:
        self.life = life
        self.buffer = MemoryBuffer(life, disk, previous=previous)
        self.state = State(proof=self.buffer.ledger.newest_receipt)
        self.settled: set[bytes] = set()

    @classmethod
    def resumed(cls, life: Life, image: Image) -> Gateway:
        """Return a machine that goes on from a snapshot without a boot."""
        machine = cls(life, image.disk.image())
        machine.buffer.resume(image)
        return machine

    @property
    def head(self) -> Head:
        """The newest batch."""
        head = self.buffer.ledger.head
        assert head is not None
        return head

    def start(self) -> None:
        """Start the agent on the disk as it is: memory is empty, the boot is told."""
        self.buffer.load()
        self.state = State(proof=self.buffer.ledger.newest_receipt)
        self.buffer.seal(is_boot=True)

    def interval(self) -> None:
        """Begin an upload interval."""
        self.state = interval_began(self.state)

    def request(self) -> tuple[Request, bytes] | None:
        """Return the next upload and its bytes, or None when there is nothing to send."""
        holding = self.buffer.holding(
            need(self.state),
            oldest=LARGEST_FRAMES + len(self.state.withheld),
            is_live_due=self.state.is_live_due,
        )
        self.state, request = next_request(self.state, holding)
        if request is None:
            return None
        if not self.life.sends_proof:
            request = replace(request, proof=None)
        stored = {one.held.batch_hash: one for one in self.buffer.disk.batches.values()}
        body = b"".join(_frame(part, stored[part.held.batch_hash]) for part in request.parts)
        if request.proof is not None:
            body += encode_receipt(request.proof.pack())
        return request, body

    def take(self, request: Request, answer: tuple[int, bytes] | None) -> Pause:
        """Carry out what an answer means, or its absence; return what comes before the next."""
        parsed = None if answer is None else parse_answer(*answer)
        outcome = after(self.state, request, parsed, self.life.trust)
        if outcome.examine is not None:
            blamed = Key(chain_id=outcome.examine.chain_id, batch_no=outcome.examine.batch_no)
            outcome = examined(outcome, is_good=not self._is_damaged(blamed))
            if outcome.give_up is not None and self.buffer.give_up(blamed):
                outcome = gave_up(outcome)
        self.settled.update(one.batch_hash for one in outcome.settle)
        self.buffer.settle(outcome.settle)
        self.state = outcome.state
        if self.head.header.chain_id in outcome.forked:
            self.buffer.begin("fork")
        return outcome.pause

    def _is_damaged(self, key: Key) -> bool:
        position = self.buffer.ledger.position_of(key)
        stored = None if position is None else self.buffer.disk.batches.get(position)
        return stored is not None and stored.is_damaged

    def disk_hashes(self) -> set[Hash]:
        """Return the names of the batches on its disk."""
        return {one.held.batch_hash for one in self.buffer.disk.batches.values()}

    def intact_hashes(self) -> set[Hash]:
        """Return those of them whose bytes are still what was signed: only these can be sent."""
        stored = self.buffer.disk.batches.values()
        return {one.held.batch_hash for one in stored if not one.is_damaged}


def _frame(part: Part, stored: Sealed) -> bytes:
    batch = stored.batch
    stone = FrameFlag.HEADSTONE if stored.held.is_headstone else FrameFlag(0)
    return encode_batch(
        BatchFrame(
            flags=part.flags | stone,
            header_bytes=batch.header_bytes,
            signature=batch.signature,
            body=b"\0" if stored.is_damaged else batch.body,
        )
    )
