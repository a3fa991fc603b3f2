"""What ends when: work beside a block, work that is waited for, and orders by signal."""

import asyncio
import os
import signal

import pytest

from edge_agent.lifetime import Order, Orders, beside, until_done

pytestmark = pytest.mark.asyncio


async def test_work_beside_a_block_is_cancelled_when_the_block_is_left() -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("work")

    async with beside(work()):
        await asyncio.sleep(0)
        ended.append("block")
    assert ended == ["block", "work"]


async def test_work_that_is_waited_for_comes_to_its_end() -> None:
    go, ended = asyncio.Event(), []

    async def work() -> None:
        await go.wait()
        await asyncio.sleep(0)
        ended.append("work")

    async with until_done(work(), limit_s=5):
        go.set()
    assert ended == ["work"]


async def test_a_failing_block_still_waits_for_the_work() -> None:
    go, ended = asyncio.Event(), []

    async def work() -> None:
        await go.wait()
        await asyncio.sleep(0)
        ended.append("work")

    async def block() -> None:
        async with until_done(work(), limit_s=5):
            go.set()
            raise ValueError("the block")

    with pytest.raises(ExceptionGroup) as caught:
        await block()
    assert caught.group_contains(ValueError, match="the block")
    assert ended == ["work"]


async def test_work_that_does_not_end_cannot_hold_the_stop() -> None:
    async def endless() -> None:
        await asyncio.Event().wait()

    async with asyncio.timeout(5):
        async with until_done(endless(), limit_s=0.01):
            pass


async def test_failing_work_ends_the_block() -> None:
    async def work() -> None:
        raise ValueError("the work")

    with pytest.raises(ExceptionGroup) as caught:
        async with beside(work()):
            await asyncio.Event().wait()
    assert caught.group_contains(ValueError, match="the work")


@pytest.mark.parametrize(
    ("number", "order"),
    [
        (signal.SIGTERM, Order.STOP),
        (signal.SIGINT, Order.STOP),
        (signal.SIGHUP, Order.RELOAD),
    ],
)
async def test_a_signal_is_an_order(number: signal.Signals, order: Order) -> None:
    async with Orders() as orders:
        os.kill(os.getpid(), number)
        assert await orders.next() is order


async def test_a_stop_comes_before_a_reload_that_was_asked_for_first() -> None:
    async with Orders() as orders:
        orders.give(Order.RELOAD)
        orders.give(Order.STOP)
        assert await orders.next() is Order.STOP
        assert await orders.next() is Order.RELOAD


async def test_the_same_order_twice_is_one() -> None:
    async with Orders() as orders:
        orders.give(Order.RELOAD)
        orders.give(Order.RELOAD)
        assert await orders.next() is Order.RELOAD
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await orders.next()


async def test_work_until_a_stop_comes_to_its_end_when_nobody_stops_it() -> None:
    async def work() -> str:
        await asyncio.sleep(0)
        return "done"

    async with Orders() as orders:
        orders.give(Order.RELOAD)
        assert await orders.until_stop(work()) == "done"


async def test_a_stop_cuts_work_short_that_would_never_end() -> None:
    async def work() -> str:
        await asyncio.Event().wait()
        return "done"

    async with Orders() as orders, asyncio.timeout(5):
        asyncio.get_running_loop().call_soon(orders.give, Order.STOP)
        assert await orders.until_stop(work()) is None
        assert await orders.next() is Order.STOP


async def test_the_way_back_comes_before_what_is_new_and_a_stop_before_both() -> None:
    async with Orders() as orders:
        for order in reversed(Order):
            orders.give(order)
        assert [await orders.next() for _ in Order] == [
            Order.STOP,
            Order.ROLL_BACK,
            Order.ACCEPT,
            Order.RELOAD,
        ]
