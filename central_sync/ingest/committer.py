"""Group commit: submissions that wait while one transaction is written go together into the next.

No transaction waits for company: the disk's own pace makes the groups. A caller hears of its
outcome only after the commit returned.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, NoReturn, Protocol

from central_sync.store.admission import Outcome, Submission
from central_sync.store.port import StoreUnavailableError

# Larger groups gain nothing measurable and make the first in it wait.
GROUP_AT_MOST: Final = 64
WAITING_AT_MOST: Final = 1024


class Accepting(Protocol):
    """The one verb of the store that is needed here."""

    def accept(self, group: Sequence[Submission]) -> list[Outcome]:
        """Admit submissions in one transaction; return their outcomes in the same order."""
        ...


class OverloadedError(Exception):
    """More submissions wait than can be written soon; the gateway should come again."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    submission: Submission
    outcome: asyncio.Future[Outcome]


class Committer:
    """Hands submissions to the store, several at a time; `run` must be running in a task."""

    def __init__(self, store: Accepting) -> None:
        self._store = store
        self._waiting: deque[_Waiting] = deque()
        self._wake = asyncio.Event()
        # Of its own: whoever keeps the loop's threads busy must not keep others from being stored.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="committer")

    async def commit(self, submission: Submission) -> Outcome:
        """Return the outcome of a submission once it is durable.

        Raises:
            OverloadedError: too many wait already; nothing was done.
            StoreUnavailableError: the store cannot write now; nothing was done.

        """
        if len(self._waiting) >= WAITING_AT_MOST:
            raise OverloadedError(f"{WAITING_AT_MOST} requests wait for the store")
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(submission, outcome))
        self._wake.set()
        return await outcome

    async def run(self) -> NoReturn:
        """Write groups for ever; cancelled only when no caller waits any more."""
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._waiting:
                    count = min(GROUP_AT_MOST, len(self._waiting))
                    await self._write([self._waiting.popleft() for _ in range(count)])
        finally:
            self._thread.shutdown(wait=False)

    async def _write(self, group: list[_Waiting]) -> None:
        """Write one group, and tell each caller its outcome or, all the same, the failure.

        Where the failure is not of the store but of something in the group, each is written alone.
        """
        loop = asyncio.get_running_loop()
        written = loop.run_in_executor(
            self._thread, self._store.accept, [waiting.submission for waiting in group]
        )
        await asyncio.wait([written])
        fault = written.exception()
        if fault is not None and not isinstance(fault, StoreUnavailableError) and len(group) > 1:
            for waiting in group:
                await self._write([waiting])
            return
        for place, waiting in enumerate(group):
            if waiting.outcome.done():  # its caller went away; what was stored stays stored
                continue
            if fault is not None:
                waiting.outcome.set_exception(fault)
            else:
                waiting.outcome.set_result(written.result()[place])
