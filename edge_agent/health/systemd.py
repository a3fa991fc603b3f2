"""Tells the service manager how the agent is doing (sd_notify), and feeds its watchdog.

The watchdog is fed only while every task that must make progress does: a poller that hangs is a
reason to be restarted, even if the rest of the agent is well. Without systemd nothing happens.
"""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, Final

import structlog

from edge_agent.clock import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge_agent.clock import Clock

NS_PER_US: Final = 1000

log = structlog.get_logger()


class Notifier:
    """Sends datagrams to the service manager; one that cannot be sent is not worth a failure."""

    def __init__(self, address: str | None) -> None:
        """Take the value of NOTIFY_SOCKET; `@` at its start means the abstract name space."""
        self._address = None
        if address:
            self._address = "\0" + address[1:] if address.startswith("@") else address

    def ready(self, status: str = "") -> None:
        """Say that start-up, or a reload, is finished."""
        self._send("READY=1", f"STATUS={_line(status)}" if status else "")

    def reloading(self) -> None:
        """Say that a reload began; `ready` ends it (Type=notify-reload)."""
        # sd_notify(3) compares this with its own CLOCK_MONOTONIC, which stops during suspend;
        # the agent's Clock does not.
        now_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // NS_PER_US
        self._send("RELOADING=1", f"MONOTONIC_USEC={now_us}")

    def stopping(self) -> None:
        """Say that an orderly stop began."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """Show one line in `systemctl status`."""
        self._send(f"STATUS={_line(text)}")

    def alive(self) -> None:
        """Feed the watchdog."""
        self._send("WATCHDOG=1")

    def _send(self, *fields: str) -> None:
        if self._address is None:
            return
        message = "\n".join(field for field in fields if field).encode()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.setblocking(False)  # noqa: FBT003 - the name of the argument is `flag`
            try:
                sender.sendto(message, self._address)
            except OSError as fault:
                log.warning("notification.failed", reason=str(fault))


class Progress:
    """When each task that must make progress last did. Pure: the time is an argument."""

    def __init__(self) -> None:
        self._limits_ns: dict[str, int] = {}
        self._beats_ns: dict[str, int] = {}

    def expect(self, name: str, *, within_s: float, now_ns: int) -> None:
        """Expect a beat of this task every so many seconds from now on."""
        self._limits_ns[name] = round(within_s * NS_PER_S)
        self._beats_ns[name] = now_ns

    def forget(self, name: str) -> None:
        """Expect nothing of this task any more."""
        self._limits_ns.pop(name, None)
        self._beats_ns.pop(name, None)

    def beat(self, name: str, *, now_ns: int) -> None:
        """Note that a task made progress."""
        if name in self._limits_ns:
            self._beats_ns[name] = now_ns

    def stalled(self, *, now_ns: int) -> tuple[str, ...]:
        """Return the tasks that are overdue, by name."""
        return tuple(
            sorted(
                name
                for name, limit_ns in self._limits_ns.items()
                if now_ns - self._beats_ns[name] > limit_ns
            )
        )


def watchdog_s(environ: Mapping[str, str], *, pid: int) -> float | None:
    """Return the watchdog's limit in seconds, or None when there is none for this process.

    Source: sd_watchdog_enabled(3): WATCHDOG_USEC, and WATCHDOG_PID where it is set.
    """
    text = environ.get("WATCHDOG_USEC", "")
    if not text.isdigit() or int(text) == 0:
        return None
    if environ.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    return int(text) / 1_000_000


async def feed_watchdog(
    notifier: Notifier, progress: Progress, clock: Clock, *, limit_s: float | None
) -> None:
    """Feed the watchdog twice per limit, while every expected task makes progress.

    Returns at once where there is no watchdog (limit_s None), else never.
    """
    if limit_s is None:
        return
    was_stalled: tuple[str, ...] = ()
    while True:
        now_ns = clock.now().mono_ns
        stalled = progress.stalled(now_ns=now_ns)
        if not stalled:
            notifier.alive()
        if stalled and stalled != was_stalled:
            log.error("watchdog.starved", tasks=list(stalled))
        elif was_stalled and not stalled:
            log.info("watchdog.fed")
        was_stalled = stalled
        await clock.sleep_until(now_ns + round(limit_s / 2 * NS_PER_S))


def _line(text: str) -> str:
    return " ".join(text.split())
