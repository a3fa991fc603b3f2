"""The buffer against a plain list: appends, crashes, receipts, evictions, chains, in any order."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from edge_agent.buffer.faults import BufferFullError
from edge_agent.buffer.records import Held
from edge_agent.buffer.store import Buffer
from edge_agent.config.vocabulary import OnFull
from edge_agent.wire.header import Header, batch_hash
from tests.edge_agent.buffer.gateway import Gateway, raw_of, receipts

T = TypeVar("T")

# Room for five of the larger portions, so that evictions and refusals happen.
ROOM_PAGES = 300


class Promised:
    """One batch that was acknowledged, and what must be in it."""

    def __init__(self, held: Held, raw: list[int]) -> None:
        self.held = held
        self.raw = raw
        self.is_receipted = False


class BufferMachine(RuleBasedStateMachine):
    """Everything that was acknowledged stays, in order, until its receipt has come."""

    buffer: Buffer

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.crashes = 0
        self.runner = asyncio.Runner()
        self.gateway = Gateway(Path(self.folder.name), room_pages=ROOM_PAGES, on_full=OnFull.STOP)
        self.promised: list[Promised] = []
        self.entered = self.gateway.opened()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the machine's own loop."""
        return self.runner.run(work)

    @initialize()
    def start(self) -> None:
        """Open a new buffer."""
        self._enter()

    @rule(sizes=st.lists(st.integers(1, 3000), min_size=1, max_size=2), is_last=st.booleans())
    def append(self, sizes: list[int], is_last: bool) -> None:  # noqa: FBT001 - drawn by name
        """Append a portion, or be told that there is no room."""
        portion = self.gateway.portion(*sizes, is_last=is_last)
        try:
            held = self.run(self.buffer.append(portion))
        except BufferFullError:
            waiting = sum(not one.is_receipted for one in self.promised)
            assert waiting == self.buffer.backlog().unreceipted_count
            assert waiting > 1
            return
        raw = [int(word) for scan in portion.readings for word in scan.raw]
        (one,) = held
        self.promised.append(Promised(one, raw))

    @precondition(lambda self: self.promised)
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        """Give receipts for some batches, known ones among them."""
        count = len(self.promised)
        chosen = data.draw(st.lists(st.integers(0, count - 1), max_size=count, unique=True))
        fresh = sum(not self.promised[index].is_receipted for index in chosen)
        given = receipts(self.promised[index].held for index in chosen)
        held_before = {one.batch_hash for one in self._held()}
        assert self.run(self.buffer.settle(given)) == fresh
        for index in chosen:
            one = self.promised[index]
            assert one.is_receipted or one.held.batch_hash in held_before
            one.is_receipted = True

    @rule()
    def flush(self) -> None:
        """Bring receipts to the disk."""
        self.run(self.buffer.flush())

    @rule()
    def fork(self) -> None:
        """Begin a chain with the next batch."""
        self.run(self.buffer.begin_chain("fork"))

    @rule(reboot=st.booleans())
    def stop_and_start(self, *, reboot: bool) -> None:
        """Stop in order, and start again."""
        self._leave()
        if reboot:
            self.gateway.reboot()
        self._enter()

    @rule(reboot=st.booleans())
    def crash(self, *, reboot: bool) -> None:
        """Go on from the files as they were in the middle of things; receipts may be lost."""
        old = self.gateway.settings
        self.crashes += 1
        self.gateway.crash_to(Path(self.folder.name) / str(self.crashes))
        new, self.gateway.settings = self.gateway.settings, old
        self._leave()
        self.gateway.settings = new
        if reboot:
            self.gateway.reboot()
        self._enter()
        waiting = {held.batch_hash for held in self._waiting()}
        for one in self.promised:
            lost_its_receipt = one.held.batch_hash in waiting
            assert one.is_receipted or lost_its_receipt
            one.is_receipted = not lost_its_receipt

    @invariant()
    def what_waits_is_what_was_promised(self) -> None:
        """Compare order, counts and every raw word."""
        expected = [one for one in self.promised if not one.is_receipted]
        waiting = self._waiting()
        assert [held.batch_hash for held in waiting] == [one.held.batch_hash for one in expected]
        frames = self.run(self.buffer.frames(waiting))
        assert [raw_of(frame) for frame in frames] == [one.raw for one in expected]
        backlog = self.buffer.backlog()
        assert backlog.unreceipted_count == len(expected)
        assert backlog.readings == sum(len(one.raw) for one in expected)
        assert backlog.size_bytes == sum(one.held.size for one in expected)
        assert backlog.oldest == (expected[0].held if expected else None)
        assert backlog.newest == (expected[-1].held if expected else None)

    @invariant()
    def what_is_held_is_promised_and_in_its_chain(self) -> None:
        """Compare what is held, receipted or not, with the list."""
        held = self._held()
        hashes = [one.held.batch_hash for one in self.promised]
        assert [one.batch_hash for one in held] == [
            name for name in hashes if name in {one.batch_hash for one in held}
        ]
        if self.promised:
            assert held[-1].batch_hash == hashes[-1]
        before: Header | None = None
        for frame in self.run(self.buffer.frames(held)):
            header = Header.unpack(frame.header_bytes)
            is_next = before is not None and header.chain_id == before.chain_id
            if before is not None and is_next and header.batch_no == before.batch_no + 1:
                assert header.prev_batch_hash == batch_hash(before.pack())
                assert header.first_seq == before.next_seq
            before = header

    def teardown(self) -> None:
        """Close the buffer and remove its folder."""
        self._leave()
        self.runner.close()
        self.folder.cleanup()

    def _enter(self) -> None:
        self.entered = self.gateway.opened()
        self.buffer = self.run(self.entered.__aenter__())
        assert self.buffer.counters.quarantined == 0
        newest = self.buffer.backlog().newest
        assert newest is not None
        if not self.promised or newest.batch_hash != self.promised[-1].held.batch_hash:
            self.promised.append(Promised(newest, []))

    def _leave(self) -> None:
        self.run(self.entered.__aexit__(None, None, None))

    def _waiting(self) -> tuple[Held, ...]:
        return self.run(self.buffer.unreceipted(10_000))

    def _held(self) -> list[Held]:
        chains = list(dict.fromkeys(one.held.chain_id for one in self.promised))
        return [
            held for chain in chains for held in self.run(self.buffer.held_from(chain, 0, 10_000))
        ]


def test_the_buffer_agrees_with_a_list() -> None:
    run_state_machine_as_test(
        BufferMachine,
        settings=settings(
            max_examples=12,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
