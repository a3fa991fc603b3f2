"""Every store against a list: random uploads, replays, holes and restarts, in any order."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from central_sync.store.admission import Outcome
from edge_agent.wire.batch import Position, SignedBatch
from edge_agent.wire.frame import FrameFlag
from edge_agent.wire.receipt import BatchPlace, Receipt, verify_receipt
from edge_agent.wire.vocabulary import Hash, Verdict
from tests.central_sync.ingest.signed_chain import (
    LATER,
    NONE_BEFORE,
    PLAIN,
    TEN,
    S,
    SignedChain,
    framed,
    rows_at,
    uuid_of,
)
from tests.conformance.store.stores import ADAPTERS, RECEIPT_KEY, OpenStore, Stored

QUARTER = 900 * S


class StoreAgainstAList(RuleBasedStateMachine):
    """The model is the list of sealed batches and the receipts that were given for them."""

    def __init__(self, open_store: OpenStore) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.stored = Stored(Path(self.folder.name), open_store)
        self.chain = SignedChain()
        self.sealed: list[SignedBatch] = []
        self.unfit: set[Hash] = set()
        self.receipts: dict[Hash, bytes] = {}
        self.clock = 0

    @initialize()
    def begin(self) -> None:
        """Register the gateway and seal its genesis."""
        self.stored.register(self.chain)
        self.seal(1, is_unfit=False)

    @rule(count=st.integers(1, 4), is_unfit=st.booleans())
    def seal(self, count: int, *, is_unfit: bool) -> None:
        """The gateway goes on; sometimes with a batch that is signed and wrong."""
        for _ in range(count):
            number = self.chain.position.batch_no
            if is_unfit and number:
                made = self.chain.unfit()
                self.unfit.add(made.batch_hash)
            else:
                made = self.chain.batch(rows_at([TEN + number * QUARTER]))
            self.sealed.append(made)

    @rule()
    def new_chain(self) -> None:
        """The gateway loses its buffer and goes on in a chain that continues the last one."""
        self.chain = SignedChain(previous=self.sealed[-1])
        self.chain.position = Position.genesis(uuid_of(1000 + len(self.sealed)))
        self.seal(1, is_unfit=False)

    @rule(
        requests=st.lists(
            st.lists(
                st.tuples(st.integers(0, 10**6), st.sampled_from([PLAIN, LATER, NONE_BEFORE])),
                min_size=1,
                max_size=4,
            ),
            min_size=1,
            max_size=3,
        )
    )
    def upload(self, requests: list[list[tuple[int, FrameFlag]]]) -> None:
        """Send any batches with any flags, several requests in one transaction."""
        chosen = [
            [(self.sealed[place % len(self.sealed)], flags) for place, flags in request]
            for request in requests
        ]
        self._send(chosen)

    @precondition(lambda self: len(self.receipts) < len(self.sealed))
    @rule(start=st.integers(0, 10**6), count=st.integers(1, 6))
    def resume(self, start: int, count: int) -> None:
        """Send a run in order, from somewhere that is not stored yet."""
        missing = [one for one in self.sealed if one.batch_hash not in self.receipts]
        first = self.sealed.index(missing[start % len(missing)])
        self._send([[(one, PLAIN) for one in self.sealed[first : first + count]]])

    @rule()
    def restart(self) -> None:
        """Close and open the store, as a crash after a commit does."""
        self.stored.reopen()

    @rule(hours=st.integers(0, 30))
    def wait(self, hours: int) -> None:
        """Let time pass."""
        self.stored.now_ns += hours * 3600 * S

    @invariant()
    def what_has_a_receipt_is_stored_byte_for_byte(self) -> None:
        """Compare every batch."""
        for batch in self.sealed:
            header = batch.header
            found = self.stored.store.batch(header.gateway_id, header.chain_id, header.batch_no)
            if batch.batch_hash not in self.receipts:
                assert found is None
                continue
            assert found is not None
            assert found.receipt == self.receipts[batch.batch_hash]
            assert (found.header_bytes, found.signature, found.body) == (
                batch.header_bytes,
                batch.signature,
                batch.body,
            )

    @invariant()
    def holes_are_what_stored_batches_follow_and_what_is_not_stored(self) -> None:
        """Compare what is wanted."""
        wanted = {hole.batch_hash for hole in self.stored.store.holes(self.chain.gateway_id)}
        assert wanted == {
            before
            for batch in self.sealed
            if batch.batch_hash in self.receipts
            and (before := self._before(batch)) is not None
            and before not in self.receipts
        }

    @invariant()
    def heads_are_the_highest_number_and_the_end_of_the_unbroken_run(self) -> None:
        """Compare every chain."""
        heads = {head.chain_id: head for head in self.stored.store.heads(self.chain.gateway_id)}
        chain_ids = {batch.header.chain_id for batch in self.sealed}
        for chain_id in chain_ids:
            batches = [one for one in self.sealed if one.header.chain_id == chain_id]
            numbers = [one.header.batch_no for one in batches if one.batch_hash in self.receipts]
            if not numbers:
                assert chain_id not in heads
                continue
            run = 0
            while run in numbers:
                run += 1
            head = heads[chain_id]
            assert head.batch_no == max(numbers)
            assert head.contiguous_no == (run - 1 if run else None)

    @invariant()
    def counts_and_hours_are_those_of_the_accepted(self) -> None:
        """Compare the totals."""
        accepted = [
            one
            for one in self.sealed
            if one.batch_hash in self.receipts and one.batch_hash not in self.unfit
        ]
        counts = self.stored.store.counts()
        assert counts.batches == len(self.receipts)
        assert counts.readings == sum(one.header.record_count for one in accepted)
        assert counts.quarantined == len(self.unfit & self.receipts.keys())
        found = self.stored.store.batches_touching(
            self.chain.gateway_id, TEN, TEN + 10_000 * QUARTER
        )
        assert {one.batch_hash for one in found} == {one.batch_hash for one in accepted}

    def teardown(self) -> None:
        """Throw the store away."""
        self.stored.store.close()
        self.folder.cleanup()

    def _send(self, requests: list[list[tuple[SignedBatch, FrameFlag]]]) -> None:
        submissions = [
            self.stored.submission(self.chain, *(framed(one, flags) for one, flags in request))
            for request in requests
        ]
        outcomes = self.stored.store.accept(submissions)
        for request, outcome in zip(requests, outcomes, strict=True):
            self._compare(request, outcome)

    def _compare(self, request: list[tuple[SignedBatch, FrameFlag]], outcome: Outcome) -> None:
        """Walk through the request as the table says, and compare every answer."""
        receipts = list(outcome.receipts)
        for batch, flags in request:
            before = self._before(batch)
            is_known = batch.batch_hash in self.receipts
            is_placed = before is None or before in self.receipts or bool(flags)
            if not is_known and not is_placed:
                assert outcome.refusal is not None
                assert outcome.refusal.code in {"gap", "busy"}
                break
            if not receipts:
                # Looked through before an earlier request of the group was stored.
                assert outcome.refusal is not None
                assert outcome.refusal.code == "busy"
                break
            receipt = receipts.pop(0)
            assert receipt == self.receipts.setdefault(batch.batch_hash, receipt)
            place = BatchPlace.of(batch.header, batch.batch_hash)
            verify_receipt(Receipt.unpack(receipt), RECEIPT_KEY.verifying_key, place)
            is_unfit = batch.batch_hash in self.unfit
            wanted = Verdict.QUARANTINED if is_unfit else Verdict.ACCEPTED
            assert Receipt.unpack(receipt).verdict is wanted
        assert not receipts

    def _before(self, batch: SignedBatch) -> Hash | None:
        """Return the hash of the batch that must be there before this one."""
        place = self.sealed.index(batch)
        return self.sealed[place - 1].batch_hash if place else None


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_whatever_comes_the_store_agrees_with_a_list(adapter: str) -> None:
    class OfThisAdapter(StoreAgainstAList):
        def __init__(self) -> None:
            super().__init__(ADAPTERS[adapter])

    run_state_machine_as_test(
        OfThisAdapter,
        settings=settings(max_examples=15, stateful_step_count=15, deadline=None),
    )
