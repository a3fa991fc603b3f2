"""Group commit: who waits for whom, and what happens when the store says no."""

import asyncio
from collections.abc import Sequence
from threading import Event

import pytest

from central_sync.ingest import committer as module
from central_sync.ingest.committer import Committer, OverloadedError
from central_sync.store.admission import Outcome, Submission
from central_sync.store.port import StoreUnavailableError
from tests.central_sync.ingest.signed_chain import uuid_of


class SlowStore:
    """Accepts what it is given once it is let go; remembers the groups."""

    def __init__(self) -> None:
        self.groups: list[list[Submission]] = []
        self.go = Event()
        self.begun = Event()
        self.fault: Exception | None = None
        self.poison: Submission | None = None

    def accept(self, group: Sequence[Submission]) -> list[Outcome]:
        """Wait until it may go on."""
        self.groups.append(list(group))
        self.begun.set()
        assert self.go.wait(10)
        if self.fault is not None:
            raise self.fault
        if self.poison in group:
            raise OverflowError("no such number")
        return [Outcome(receipts=(one.gateway_id.bytes,)) for one in group]


def submission(number: int) -> Submission:
    return Submission(gateway_id=uuid_of(number), candidates=())


@pytest.fixture
def store() -> SlowStore:
    return SlowStore()


async def commit_all(committer: Committer, count: int, store: SlowStore) -> list[Outcome]:
    """Commit one submission, and the others while it is being written."""
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(committer.run())
        waiting = [tasks.create_task(committer.commit(submission(0)))]
        assert await asyncio.to_thread(store.begun.wait, 10)
        waiting += [tasks.create_task(committer.commit(submission(n))) for n in range(1, count)]
        await asyncio.sleep(0)
        store.go.set()
        await asyncio.wait(waiting)
        running.cancel()
    return [task.result() for task in waiting]


@pytest.mark.asyncio
async def test_what_arrives_during_a_write_goes_together_into_the_next(store: SlowStore) -> None:
    outcomes = await commit_all(Committer(store), 5, store)
    assert [len(group) for group in store.groups] == [1, 4]
    assert [one.receipts[0] for one in outcomes] == [uuid_of(n).bytes for n in range(5)]


@pytest.mark.asyncio
async def test_a_group_has_a_largest_size(
    store: SlowStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GROUP_AT_MOST", 3)
    await commit_all(Committer(store), 8, store)
    assert [len(group) for group in store.groups] == [1, 3, 3, 1]


@pytest.mark.asyncio
async def test_beyond_its_limit_it_refuses_to_wait(
    store: SlowStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WAITING_AT_MOST", 2)
    committer = Committer(store)
    async with asyncio.TaskGroup() as tasks:
        waiting = [tasks.create_task(committer.commit(submission(n))) for n in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(OverloadedError):
            await committer.commit(submission(2))
        running = tasks.create_task(committer.run())
        store.go.set()
        await asyncio.wait(waiting)
        running.cancel()


@pytest.mark.asyncio
async def test_a_store_that_fails_fails_every_caller_of_the_group_and_the_next_go_on(
    store: SlowStore,
) -> None:
    store.fault = StoreUnavailableError("disk full")
    store.go.set()
    committer = Committer(store)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(committer.run())
        for number in range(2):
            with pytest.raises(StoreUnavailableError):
                await committer.commit(submission(number))
        store.fault = None
        assert (await committer.commit(submission(3))).receipts == (uuid_of(3).bytes,)
        running.cancel()


@pytest.mark.asyncio
async def test_a_caller_that_went_away_does_not_disturb_the_others(store: SlowStore) -> None:
    committer = Committer(store)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(committer.run())
        gone = tasks.create_task(committer.commit(submission(0)))
        stays = tasks.create_task(committer.commit(submission(1)))
        assert await asyncio.to_thread(store.begun.wait, 10)
        gone.cancel()
        await asyncio.wait([gone])
        store.go.set()
        assert (await stays).receipts == (uuid_of(1).bytes,)
        running.cancel()


@pytest.mark.asyncio
async def test_what_cannot_be_stored_keeps_nothing_else_of_its_group_out(store: SlowStore) -> None:
    store.poison = submission(2)
    committer = Committer(store)

    async def told(number: int) -> Outcome | None:
        try:
            return await committer.commit(submission(number))
        except OverflowError:
            return None

    async with asyncio.TaskGroup() as tasks:
        store.go.set()
        waiting = [tasks.create_task(told(number)) for number in range(4)]
        await asyncio.sleep(0)
        running = tasks.create_task(committer.run())
        await asyncio.wait(waiting)
        running.cancel()
    assert [task.result() is not None for task in waiting] == [True, True, False, True]
    assert [len(group) for group in store.groups] == [4, 1, 1, 1, 1]
