"""The machine's clocks, as far as a test can hold them to anything."""

import asyncio

import pytest

from edge_agent.clock import NS_PER_S, SystemClock, boot_id

pytestmark = pytest.mark.asyncio


async def test_time_since_boot_never_falls() -> None:
    clock = SystemClock()
    moments = [clock.now().mono_ns for _ in range(1000)]
    assert moments == sorted(moments)


async def test_sleeping_ends_at_its_time_and_not_before() -> None:
    clock = SystemClock()
    until_ns = clock.now().mono_ns + NS_PER_S // 100
    await clock.sleep_until(until_ns)
    assert clock.now().mono_ns >= until_ns - 1_000_000


async def test_a_time_that_has_passed_is_not_waited_for() -> None:
    clock = SystemClock()
    async with asyncio.timeout(1):
        await clock.sleep_until(0)
        await clock.wait(asyncio.Event(), 0)


async def test_an_event_ends_the_waiting() -> None:
    event = asyncio.Event()
    event.set()
    async with asyncio.timeout(1):
        await SystemClock().wait(event, None)
        await SystemClock().wait(event, SystemClock().now().mono_ns + 60 * NS_PER_S)


async def test_an_unknown_error_is_said_to_be_unknown() -> None:
    trust = SystemClock().trust()
    assert trust.state in range(6)
    assert trust.error_ms is None or trust.error_ms >= 0


async def test_a_boot_has_one_id() -> None:
    assert boot_id() == boot_id()
