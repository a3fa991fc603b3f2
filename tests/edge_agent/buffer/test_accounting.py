"""Taken = at the centre + covered by signed loss events + in the buffer: after anything."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from edge_agent.buffer.faults import BufferUnavailableError
from edge_agent.buffer.giving_up import LossReason
from edge_agent.buffer.records import Held
from edge_agent.wire.frame import BatchFrame, FrameFlag
from edge_agent.wire.header import Header
from edge_agent.wire.vocabulary import Hash, Verdict
from tests.edge_agent.buffer.gateway import Gateway, Portion, events_of, raw_of, receipts
from tests.edge_agent.buffer.storage_faults import Failing

if TYPE_CHECKING:
    from edge_agent.buffer.store import Buffer

T = TypeVar("T")

# Room for a few of the larger portions, and the headstones of all others.
ROOM_PAGES = 330


class Accounting(RuleBasedStateMachine):
    """A buffer whose storage fails and fills, and a centre that takes what it is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.patch = pytest.MonkeyPatch()
        self.runner = asyncio.Runner()
        self.gateway = Gateway(Path(self.folder.name), room_pages=ROOM_PAGES)
        self.taken: list[int] = []
        self.waiting: Portion | None = None
        self.at_centre: dict[Hash, list[int]] = {}
        self.stones: dict[Hash, BatchFrame] = {}
        self.told: dict[Hash, BatchFrame] = {}
        self._enter()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the machine's own loop."""
        return self.runner.run(work)

    @rule(sizes=st.lists(st.integers(1, 2500), min_size=1, max_size=2))
    def append(self, sizes: list[int]) -> None:
        """Take readings, and bring them to the disk or into memory."""
        portion = self.waiting or self.gateway.portion(*sizes)
        if self.waiting is None:
            self.taken += [int(word) for scan in portion.readings for word in scan.raw]
        self.waiting = None
        try:
            self.run(self.buffer.append(portion))
        except BufferUnavailableError:
            if not self.run(self.buffer.append_volatile(portion)):
                self.waiting = portion

    @rule(before=st.integers(0, 2), after=st.integers(0, 2))
    def fail(self, before: int, after: int) -> None:
        """Let the next commits fail before or after they worked."""
        self.failing.before, self.failing.after = before, after

    @rule(refuses=st.booleans())
    def refuse(self, *, refuses: bool) -> None:
        """Let the storage refuse all writing, or return."""
        self.failing.refuses = refuses

    @rule(count=st.integers(1, 6), gets_receipts=st.booleans(), is_newest=st.booleans())
    def upload(self, *, count: int, gets_receipts: bool, is_newest: bool) -> None:
        """Send something; its receipts may be lost on the way."""
        ask = self.buffer.newest if is_newest else self.buffer.unreceipted
        held = self.run(ask(count))
        frames = self.run(self.buffer.frames(held))
        for one, frame in zip(held, frames, strict=True):
            self.told[one.batch_hash] = frame
            if frame.flags & FrameFlag.HEADSTONE:
                self.stones[one.batch_hash] = frame
            else:
                self.at_centre[one.batch_hash] = raw_of(frame)
        if gets_receipts:
            self.run(self.buffer.settle(self._receipts(held)))

    @rule(index=st.integers(0, 5))
    def give_up(self, index: int) -> None:
        """Give up one of the oldest batches."""
        held = self.run(self.buffer.unreceipted(6))
        try:
            self.run(self.buffer.give_up(held[index : index + 1], LossReason.QUOTA))
        except BufferUnavailableError:
            return

    @rule()
    def restart(self) -> None:
        """Stop in order, storage being there, and start again."""
        self._sound()
        self.run(self.entered.__aexit__(None, None, None))
        self._enter()

    @invariant()
    def it_comes_out(self) -> None:
        """Compare the sum with what was taken, and every reading with where it is."""
        pending = self.buffer._writer._pending
        if pending is not None and pending.given:
            return  # nobody knows yet whether they are gone
        held = self.run(self.buffer.unreceipted(10_000))
        frames = self.run(self.buffer.frames(held))
        pinned = self.buffer._writer._left
        here = [word for frame in frames for word in raw_of(frame)]
        here += [
            int(word)
            for portion in (self.waiting, pinned)
            if portion is not None
            for scan in portion.readings
            for word in scan.raw
        ]
        every = set(here) | {word for words in self.at_centre.values() for word in words}
        assert every <= set(self.taken)
        assert len(set(self.taken) - every) == self._covered([*frames, *self.told.values()])

    def _covered(self, frames: list[BatchFrame]) -> int:
        """Return how many readings loss events cover of which the centre has none."""
        batches = {
            (header.chain_id, header.batch_no): (header, frame)
            for frame in frames
            for header in [Header.unpack(frame.header_bytes)]
        }
        count = 0
        for _, frame in batches.values():
            for event in events_of(frame):
                if event.type != "loss":
                    continue
                sequence = 0
                for number in range(event.integer("first_batch"), event.integer("last_batch") + 1):
                    chain = next(c for c, _ in batches if str(c) == event.fields["chain"])
                    header, _ = batches[chain, number]
                    sequence += header.record_count
                    has_arrived = any(
                        self.told[name].header_bytes == header.pack() for name in self.at_centre
                    )
                    count += 0 if has_arrived else header.record_count
                assert sequence == event.integer("last_seq") - event.integer("first_seq") + 1
        return count

    def _receipts(self, held: tuple[Held, ...]) -> list[Any]:
        return [
            receipt
            for one in held
            for receipt in receipts(
                [one],
                Verdict.ACCEPTED if one.batch_hash in self.at_centre else Verdict.HEADSTONE,
            )
        ]

    def teardown(self) -> None:
        """Close the buffer and remove its folder."""
        self._sound()
        self.run(self.entered.__aexit__(None, None, None))
        self.runner.close()
        self.patch.undo()
        self.folder.cleanup()

    def _sound(self) -> None:
        self.failing.refuses = False
        self.failing.before = self.failing.after = 0
        if self.waiting is not None:
            self.run(self.buffer.append(self.waiting))
            self.waiting = None

    def _enter(self) -> None:
        self.entered = self.gateway.opened()
        self.buffer: Buffer = self.run(self.entered.__aenter__())
        assert self.buffer.counters.quarantined == 0
        self.failing = Failing(self.buffer._writer.database, self.patch)


def test_every_reading_taken_is_somewhere_or_under_a_loss_event() -> None:
    run_state_machine_as_test(
        Accounting,
        settings=settings(
            max_examples=15,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            # Chain ids are random: what failed cannot be shrunk.
            phases=[Phase.generate],
        ),
    )
