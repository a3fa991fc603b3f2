"""What the service manager is told, and when the watchdog goes hungry."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.health.systemd import Notifier, Progress, feed_watchdog, watchdog_s
from tests.edge_agent.uplink.gateway import HandClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

S = 1_000_000_000


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A socket as the service manager has it, and its address as NOTIFY_SOCKET tells it."""
    address = str(tmp_path / "notify")
    if request.param == "abstract":
        address = f"@emissionwatch-test-{os.getpid()}"
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as listener:
        listener.bind(address.replace("@", "\0", 1))
        listener.settimeout(5)
        yield listener, address


def test_the_manager_hears_every_word(manager: tuple[socket.socket, str]) -> None:
    listener, address = manager
    notifier = Notifier(address)
    notifier.ready("polling 2 devices\nREADY=0")
    assert listener.recv(4096) == b"READY=1\nSTATUS=polling 2 devices READY=0"
    notifier.ready()
    assert listener.recv(4096) == b"READY=1"
    notifier.status("waiting")
    assert listener.recv(4096) == b"STATUS=waiting"
    notifier.stopping()
    assert listener.recv(4096) == b"STOPPING=1"
    notifier.alive()
    assert listener.recv(4096) == b"WATCHDOG=1"


def test_a_reload_carries_the_managers_own_clock(manager: tuple[socket.socket, str]) -> None:
    listener, address = manager
    before_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    Notifier(address).reloading()
    first, second = listener.recv(4096).decode().split("\n")
    name, _, at_us = second.partition("=")
    assert (first, name) == ("RELOADING=1", "MONOTONIC_USEC")
    assert before_us <= int(at_us) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


@pytest.mark.parametrize("address", [None, "", "/nowhere/at/all"])
def test_without_a_manager_nothing_happens(address: str | None) -> None:
    notifier = Notifier(address)
    notifier.ready("x")
    notifier.alive()


def test_a_manager_that_does_not_listen_cannot_hold_the_agent(tmp_path: Path) -> None:
    address = str(tmp_path / "full")
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as listener:
        listener.bind(address)
        notifier = Notifier(address)
        for _ in range(2000):
            notifier.alive()


@pytest.mark.parametrize(
    ("environ", "expected_s"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "x"}, None),
        ({"WATCHDOG_USEC": "60000000"}, 60),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "41"}, 60),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "42"}, None),
    ],
)
def test_the_watchdog_limit_is_for_this_process_only(
    environ: dict[str, str], expected_s: float | None
) -> None:
    assert watchdog_s(environ, pid=41) == expected_s


@given(
    beats=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 10))), now_s=st.integers(0, 40)
)
def test_stalled_agrees_with_its_definition(beats: list[tuple[str, int]], now_s: int) -> None:
    progress = Progress()
    last = {"a": 0, "b": 0}
    progress.expect("a", within_s=5, now_ns=0)
    progress.expect("b", within_s=12.5, now_ns=0)
    at_s = 0
    for name, pause_s in beats:
        at_s += pause_s
        progress.beat(name, now_ns=at_s * S)
        if name in last:
            last[name] = at_s
    now_s += at_s
    limits = {"a": 5, "b": 12.5}
    expected = tuple(name for name in "ab" if now_s - last[name] > limits[name])
    assert progress.stalled(now_ns=now_s * S) == expected


def test_a_task_that_is_forgotten_is_not_missed() -> None:
    progress = Progress()
    progress.expect("a", within_s=1, now_ns=0)
    progress.forget("a")
    progress.forget("never known")
    progress.beat("a", now_ns=0)
    assert progress.stalled(now_ns=100 * S) == ()


@pytest.mark.asyncio
async def test_the_watchdog_is_fed_only_while_every_task_makes_progress(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    clock, progress = HandClock(), Progress()
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as listener:
        listener.bind(address)
        listener.setblocking(False)  # noqa: FBT003 - the name of the argument is `flag`
        progress.expect("poll", within_s=15, now_ns=clock.mono_ns)
        fed = []
        async with asyncio.TaskGroup() as group:
            feeding = feed_watchdog(Notifier(address), progress, clock, limit_s=20)
            task = group.create_task(feeding)
            for has_progress in (True, False, True, True):
                assert await clock.asleep() == pytest.approx(10)
                fed.append(was_fed(listener))
                if has_progress:
                    progress.beat("poll", now_ns=clock.mono_ns)
                await clock.pass_time(10)
            await clock.asleep()
            fed.append(was_fed(listener))
            task.cancel()
    assert fed == [True, True, False, True, True]


@pytest.mark.asyncio
async def test_without_a_watchdog_nobody_is_fed() -> None:
    await feed_watchdog(Notifier(None), Progress(), HandClock(), limit_s=None)


def was_fed(listener: socket.socket) -> bool:
    """Return whether a word has arrived, and take it."""
    try:
        return listener.recv(4096) == b"WATCHDOG=1"
    except BlockingIOError:
        return False
