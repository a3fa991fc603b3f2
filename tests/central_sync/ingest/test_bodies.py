"""Which bodies of a request are read: in order, a few at a time, beside their verification."""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from central_sync.ingest import bodies
from central_sync.ingest.committer import OverloadedError
from central_sync.ingest.decoder import Asked, ReadBodies, read_here
from central_sync.ingest.receive import prepared
from central_sync.store.admission import Body, Contents, Submission, Unread
from tests.central_sync.ingest.signed_chain import SignedChain, framed
from tests.conformance.store.stores import RECEIPT_KEY, Stored, embedded

MANY = 3 * bodies.READ_AT_ONCE + 5


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[Stored]:
    made = Stored(tmp_path, embedded)
    yield made
    made.store.close()


@pytest.fixture
def chain(stored: Stored) -> SignedChain:
    made = SignedChain()
    stored.register(made)
    return made


def requested(
    stored: Stored, chain: SignedChain, read: ReadBodies, frames: Sequence[bytes]
) -> Submission:
    """Return a request looked through, its bodies read by `read`."""
    return prepared(
        chain.gateway_id,
        b"".join(frames),
        store=stored.store,
        receipt_key=RECEIPT_KEY.verifying_key,
        read_bodies=read,
    )


def test_a_long_request_is_read_in_order_and_whole(stored: Stored, chain: SignedChain) -> None:
    read: list[int] = []

    def reading(asked: Sequence[Asked]) -> list[Body]:
        read.extend(one.header.batch_no for one in asked)
        return read_here(asked)

    frames = [framed(batch) for batch in chain.batches(MANY)]
    submission = requested(stored, chain, reading, frames)
    assert read == list(range(MANY))
    assert [one.index for one in submission.candidates] == read
    assert all(isinstance(one.body, Contents) for one in submission.candidates)
    (outcome,) = stored.store.accept([submission])
    assert len(outcome.receipts) == MANY


def test_bodies_are_read_while_frames_behind_them_are_still_verified(
    stored: Stored, chain: SignedChain
) -> None:
    threads: list[str] = []

    def reading(asked: Sequence[Asked]) -> list[Body]:
        threads.append(threading.current_thread().name.split("_")[0])
        return read_here(asked)

    frames = [framed(batch) for batch in chain.batches(MANY)]
    requested(stored, chain, reading, frames)
    assert threads == ["reading", "reading", "reading", threading.current_thread().name]


def test_a_request_of_a_minute_takes_no_thread(stored: Stored, chain: SignedChain) -> None:
    threads: set[threading.Thread] = set()

    def reading(asked: Sequence[Asked]) -> list[Body]:
        threads.add(threading.current_thread())
        return read_here(asked)

    requested(stored, chain, reading, [framed(one) for one in chain.batches(bodies.READ_AT_ONCE)])
    assert threads == {threading.current_thread()}


def test_what_is_before_a_forged_frame_is_read_and_nothing_behind_it(
    stored: Stored, chain: SignedChain
) -> None:
    frames = [framed(batch) for batch in chain.batches(MANY)]
    forged = bytearray(frames[40])
    forged[8 + 312] ^= 1
    submission = requested(stored, chain, read_here, [*frames[:40], bytes(forged), *frames[41:]])
    assert [one.header.batch_no for one in submission.candidates] == list(range(40))
    assert all(isinstance(one.body, Contents) for one in submission.candidates)
    assert submission.refusal is not None
    assert (submission.refusal.status, submission.refusal.frame) == (403, 40)


def test_what_keeps_a_decoder_from_starting_is_told_whoever_asked_it(
    stored: Stored, chain: SignedChain
) -> None:
    asked_before: list[int] = []

    def reading(asked: Sequence[Asked]) -> list[Body]:
        asked_before.append(len(asked))
        raise OverloadedError("no decoder can be started")

    with pytest.raises(OverloadedError):
        requested(stored, chain, reading, [framed(one) for one in chain.batches(MANY)])
    assert asked_before


def test_what_cannot_be_read_in_time_stays_unread(
    stored: Stored, chain: SignedChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "READING_AT_MOST_S", 0.0)
    frames = [framed(batch) for batch in chain.batches(MANY)]
    submission = requested(stored, chain, read_here, frames)
    is_read = [isinstance(one.body, Contents) for one in submission.candidates]
    assert is_read == [place < bodies.READ_AT_ONCE for place in range(MANY)]
    assert all(isinstance(one.body, Unread) for one in submission.candidates[bodies.READ_AT_ONCE :])


def test_what_is_stored_already_is_not_read_again(stored: Stored, chain: SignedChain) -> None:
    frames = [framed(batch) for batch in chain.batches(MANY)]
    stored.take(chain, *frames[:50])
    read: list[int] = []

    def reading(asked: Sequence[Asked]) -> list[Body]:
        read.extend(one.header.batch_no for one in asked)
        return read_here(asked)

    requested(stored, chain, reading, frames)
    assert read == list(range(50, MANY))
