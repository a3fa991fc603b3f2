"""The only source of time: UTC nanoseconds for stamps, CLOCK_BOOTTIME for order and durations.

Nothing else in the agent asks the system for the time, so that a test can hand in a clock of its
own. The two readings of one `Instant` are taken together and belong to the same moment.
"""

import asyncio
import ctypes
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Protocol
from uuid import UUID

NS_PER_S: Final = 1_000_000_000

# linux/timex.h: adjtimex(2) answers TIME_ERROR while no source disciplines the clock.
TIME_ERROR: Final = 5
# linux/timex.h: the reserved tail of struct timex, 11 ints.
TIMEX_RESERVED_INTS: Final = 11

# Clock states of docs/wire-format.md section 2; the wire has its own enumeration, which this
# module, being lower, may not import.
UNSET, NTP, RTC, HOLDOVER, MANUAL = 0, 1, 3, 4, 5

# Below this nobody asks: a tenth of the second that hourly rules look at. Wall clock and
# CLOCK_BOOTTIME are slewed together, so that they part only where the wall clock is set.
LEAST_NS: Final = NS_PER_S // 10
# linux/timex.h, MAXFREQ: what the kernel itself adds to the error of a clock that nobody corrects.
DRIFT_PPM: Final = 500
# Both clocks are read together; a process that was stopped in between reads them again.
TOGETHER_NS: Final = 1_000_000
MOST_READS: Final = 5

# The first release of this software: a wall clock before it was never set since power-on.
EARLIEST_PLAUSIBLE_NS: Final = 1_767_225_600 * NS_PER_S  # 2026-01-01T00:00:00Z


@dataclass(frozen=True, slots=True, kw_only=True)
class Instant:
    """One moment on both clocks.

    Attributes:
        utc_ns: wall clock, nanoseconds since 1970-01-01 UTC.
        mono_ns: CLOCK_BOOTTIME, nanoseconds since boot, suspended time included.

    """

    utc_ns: int
    mono_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """How far the wall clock can be believed.

    Attributes:
        state: clock_state of docs/wire-format.md section 2.
        error_ms: the kernel's bound on the error, milliseconds; None when unknown.

    """

    state: int
    error_ms: int | None


def grown_ms(error_ms: int, alone_ns: int) -> int:
    """Return the error of a clock that nothing has corrected for a time, milliseconds."""
    return error_ms + -(-max(0, alone_ns) * DRIFT_PPM // (NS_PER_S * 1_000))


class Clock(Protocol):
    """Time as the agent sees it."""

    def now(self) -> Instant:
        """Return the present moment."""
        ...

    def trust(self) -> Trust:
        """Return how far `now().utc_ns` can be believed."""
        ...

    async def sleep_until(self, mono_ns: int) -> None:
        """Return once CLOCK_BOOTTIME has reached `mono_ns`; at once when it has passed."""
        ...

    async def wait(self, event: asyncio.Event, until_mono_ns: int | None) -> None:
        """Return when `event` is set or CLOCK_BOOTTIME reaches `until_mono_ns` (None: never)."""
        ...


class SystemClock:
    """The machine's own clocks (Linux)."""

    def now(self) -> Instant:
        """Return the present moment; both readings are taken within TOGETHER_NS."""
        mono_ns = utc_ns = 0
        for _ in range(MOST_READS):
            mono_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
            utc_ns = time.time_ns()  # noqa: TID251 - this module is the one source of time
            if time.clock_gettime_ns(time.CLOCK_BOOTTIME) - mono_ns < TOGETHER_NS:
                break
        return Instant(utc_ns=utc_ns, mono_ns=mono_ns)

    def trust(self) -> Trust:
        """Return the kernel's opinion of the wall clock.

        A clock that nothing disciplines is `RTC` when the machine has one and it shows a
        plausible date, `UNSET` otherwise; its error is unknown in both cases.

        Source: adjtimex(2): TIME_ERROR while unsynchronised, maxerror in microseconds.
        """
        timex = _Timex()
        answer = _libc().adjtimex(ctypes.byref(timex))
        if answer < 0 or answer == TIME_ERROR:  # below zero: we may not ask, as in a container
            is_plausible = self.now().utc_ns >= EARLIEST_PLAUSIBLE_NS
            return Trust(state=RTC if is_plausible and has_rtc() else UNSET, error_ms=None)
        return Trust(state=NTP, error_ms=-(-timex.maxerror // 1000))

    async def sleep_until(self, mono_ns: int) -> None:
        """Return once CLOCK_BOOTTIME has reached `mono_ns`; at once when it has passed."""
        left_ns = mono_ns - time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        await asyncio.sleep(max(0, left_ns) / NS_PER_S)

    async def wait(self, event: asyncio.Event, until_mono_ns: int | None) -> None:
        """Return when `event` is set or CLOCK_BOOTTIME reaches `until_mono_ns` (None: never)."""
        if until_mono_ns is None:
            await event.wait()
            return
        left_ns = until_mono_ns - time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        try:
            async with asyncio.timeout(left_ns / NS_PER_S):
                await event.wait()
        except TimeoutError:
            return


@cache
def has_rtc() -> bool:
    """Return whether the machine has a clock that runs while its power is off.

    Without one a plausible date at boot is only the one that was saved at the last stop.
    Source: the kernel's Documentation/ABI/testing/rtc-cdev and sysfs-class-rtc: /sys/class/rtc.
    """
    return any(Path("/sys/class/rtc").glob("rtc*"))


def boot_id() -> UUID:
    """Return the kernel's random id of this boot.

    Source: random(4), /proc/sys/kernel/random/boot_id.
    """
    return UUID(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())


class _Timex(ctypes.Structure):
    """`struct timex` of adjtimex(2); with `modes` zero the call only reads."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("constant", ctypes.c_long),
        ("precision", ctypes.c_long),
        ("tolerance", ctypes.c_long),
        ("time", ctypes.c_long * 2),
        ("tick", ctypes.c_long),
        ("ppsfreq", ctypes.c_long),
        ("jitter", ctypes.c_long),
        ("shift", ctypes.c_int),
        ("stabil", ctypes.c_long),
        ("jitcnt", ctypes.c_long),
        ("calcnt", ctypes.c_long),
        ("errcnt", ctypes.c_long),
        ("stbcnt", ctypes.c_long),
        ("tai", ctypes.c_int),
        ("reserved", ctypes.c_int * TIMEX_RESERVED_INTS),
    )


def _libc() -> ctypes.CDLL:
    """Return the C library that this process already runs on."""
    return ctypes.CDLL(None, use_errno=True)
