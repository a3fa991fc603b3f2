"""How long things run: work that ends with a block or after it, and what the operator asks for.

Each helper is a context: what is entered later is left first, so nesting order is stop order.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from enum import Enum, auto
from typing import Self, TypeVar

Result = TypeVar("Result")


@asynccontextmanager
async def beside(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Run work beside a block and cancel it when the block is left; if it fails, so does both."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(work)
        try:
            yield
        finally:
            task.cancel()


@asynccontextmanager
async def until_done(work: Coroutine[None, None, None], *, limit_s: float) -> AsyncIterator[None]:
    """Run work beside a block and, however the block is left, wait for its end within a limit."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(work)
        try:
            yield
        finally:
            await asyncio.wait({task}, timeout=limit_s)
            task.cancel()


class Order(Enum):
    """What the operator, the service manager or the probation wants; what comes first is first."""

    STOP = auto()
    ROLL_BACK = auto()
    ACCEPT = auto()
    RELOAD = auto()


class Orders:
    """Signals as orders: SIGTERM and SIGINT stop, SIGHUP reloads; what else is given is given here.

    A stop comes before all else, the way back before what is new.
    """

    def __init__(self) -> None:
        self._given: set[Order] = set()
        self._is_given = asyncio.Event()
        self._is_stopped = asyncio.Event()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.give, Order.STOP)
        loop.add_signal_handler(signal.SIGHUP, self.give, Order.RELOAD)
        return self

    async def __aexit__(self, *_: object) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.remove_signal_handler(number)

    def give(self, order: Order) -> None:
        """Give an order; the same one twice is one."""
        self._given.add(order)
        self._is_given.set()
        if order is Order.STOP:
            self._is_stopped.set()

    async def until_stop(self, work: Coroutine[None, None, Result]) -> Result | None:
        """Return what work returns; None when a stop was ordered first, which cancels it."""
        async with asyncio.TaskGroup() as group:
            task = group.create_task(work)
            stop = group.create_task(self._is_stopped.wait())
            await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
            task.cancel()
            stop.cancel()
        return None if task.cancelled() else task.result()

    async def next(self) -> Order:
        """Return the next order."""
        await self._is_given.wait()
        order = next(one for one in Order if one in self._given)
        self._given.discard(order)
        if not self._given:
            self._is_given.clear()
        return order
