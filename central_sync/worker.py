"""The task inside `serve` that computes dirty hours, one after the other, until it is stopped.

It is woken when batches arrive and when an hour ends. It decides only when; what is computed is
decided in `central_sync.evaluate`.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import structlog

from central_sync import memory
from central_sync.calc.clock_hours import HOUR_NS, SECOND_NS, time_text, utc_hours
from central_sync.evaluate.hour import Evaluator, complete_until_ns
from central_sync.model import DirtyHour
from central_sync.store.port import StoreUnavailableError

if TYPE_CHECKING:
    from uuid import UUID

LIVE_INTERVAL_NS: Final = 30 * SECOND_NS
LIVE_GROWTH: Final = 1.2
LONGEST_LIVE_INTERVAL_NS: Final = 600 * SECOND_NS
"""An hour that is still running is computed again after the first of these, each time later by the
second, up to the third: its cost and its revisions grow with every time, and nobody reports it. So
a whole hour takes 18 computations, and the page shows the first minutes soon."""

RETRY_NS: Final = 300 * SECOND_NS
"""An hour that could not be computed (damaged record, disk full) is tried again after this."""

LONGEST_WAIT_NS: Final = 60 * SECOND_NS
LOOK_BACK_NS: Final = 7 * 24 * HOUR_NS
"""At start, provisional hours this old or younger are looked up, to be made final."""

MOST_HOURS: Final = 1024
RETIMED_AT_ONCE: Final = 256
"""Batches whose times are looked at again in one transaction: uploads wait no longer for it."""

QUIET_NS: Final = 2 * SECOND_NS
LONGEST_STREAM_NS: Final = 60 * SECOND_NS
"""While a gateway catches up, its requests follow one another within the first of these. Its hours
wait until that is over, for the second of these at most: an hour into which batches still come
would only be computed again, at the cost of taking them in."""
LOOK_AGAIN_NS: Final = SECOND_NS // 10
"""So long at least the worker rests before it looks whether a stream is over."""

log = structlog.get_logger()


@dataclass(slots=True)
class Streams:
    """Which gateways send one request right after the other; times in UTC ns."""

    _began: dict["UUID", int] = field(default_factory=dict)
    _last: dict["UUID", int] = field(default_factory=dict)

    def stored(self, gateway_id: "UUID", now_ns: int) -> None:
        """Note a request of a gateway; those that have become quiet are forgotten."""
        for quiet in [each for each, last in self._last.items() if now_ns > last + QUIET_NS]:
            del self._began[quiet], self._last[quiet]
        self._began.setdefault(gateway_id, now_ns)
        self._last[gateway_id] = now_ns

    def ends_ns(self, gateway_id: "UUID", now_ns: int) -> int:
        """Return until when the hours of a gateway wait, if nothing more comes.

        A clock that was set back ends every stream.
        """
        if self._last.get(gateway_id, now_ns + 1) > now_ns:
            return 0
        return min(self._last[gateway_id] + QUIET_NS, self._began[gateway_id] + LONGEST_STREAM_NS)

    def next_end_ns(self, now_ns: int) -> int | None:
        """Return when the next stream may be over; None where there is none."""
        ends = [end for each in self._last if (end := self.ends_ns(each, now_ns)) > now_ns]
        return min(ends, default=None)


class Worker:
    """Computes what is dirty. `wake` and `stored` may be called from the loop's thread."""

    def __init__(self, evaluator: Evaluator, *, now_ns: Callable[[], int]) -> None:
        self._evaluator = evaluator
        self._now_ns = now_ns
        self._woken = asyncio.Event()
        self._not_before: dict[tuple[UUID, int], int] = {}
        self._final_from: dict[tuple[UUID, int], int] = {}
        self._live_counts: dict[tuple[UUID, int], int] = {}
        self._streams = Streams()

    def stored(self, gateway_id: "UUID") -> None:
        """Say that batches of a gateway have been stored."""
        self._streams.stored(gateway_id, self._now_ns())
        self._woken.set()

    def wake(self) -> None:
        """Say that something has become dirty."""
        self._woken.set()

    async def run(self) -> None:
        """Compute until cancelled; a computation under way is finished in its thread."""
        has_begun = False
        while True:
            self._woken.clear()
            try:
                if not has_begun:
                    await asyncio.to_thread(self._find_provisional)
                has_begun = True
                await self._round()
            except StoreUnavailableError as fault:
                log.warning("hours.postponed", reason=str(fault))
            try:
                async with asyncio.timeout(self._wait_ns() / SECOND_NS):
                    await self._woken.wait()
            except TimeoutError:
                continue

    async def _round(self) -> None:
        """Compute every hour that is due, and make final what can be."""
        while await asyncio.to_thread(self._evaluator.store.retime, RETIMED_AT_ONCE):
            continue
        while True:
            await asyncio.to_thread(self._mark_final)
            dirty = await asyncio.to_thread(self._evaluator.store.dirty_hours, MOST_HOURS)
            due = [hour for hour in dirty if self._is_due(hour)]
            if not due:
                return
            for hour in due:
                if self._is_due(hour):
                    await asyncio.to_thread(self._evaluate, hour)
                    await asyncio.to_thread(memory.give_back)

    def _is_due(self, hour: DirtyHour) -> bool:
        not_before = self._not_before.get((hour.gateway_id, hour.hour_ns), 0)
        now_ns = self._now_ns()
        return now_ns >= max(not_before, self._streams.ends_ns(hour.gateway_id, now_ns))

    def _evaluate(self, hour: DirtyHour) -> None:
        key = (hour.gateway_id, hour.hour_ns)
        where = {"gateway": str(hour.gateway_id), "hour": time_text(hour.hour_ns)}
        try:
            done = self._evaluator.evaluate(hour, now_ns=self._now_ns())
        except StoreUnavailableError:
            raise
        except Exception as fault:  # noqa: BLE001 - what one gateway signed must not stop the others
            self._final_from.pop(key, None)  # it stays dirty, which is enough to be tried again
            log.warning("hour.failed", **where, reason=f"{type(fault).__name__}: {fault}")
            self._not_before[key] = self._now_ns() + RETRY_NS
            return
        self._not_before.pop(key, None)
        self._final_from.pop(key, None)
        if done.final_from_ns is not None:
            self._final_from[key] = done.final_from_ns
            count = self._live_counts.get(key, 0)
            self._live_counts[key] = count + 1
            self._not_before[key] = self._now_ns() + live_interval_ns(count)
        else:
            self._live_counts.pop(key, None)
        log.debug(
            "hour.computed",
            **where,
            rows=done.row_count,
            values=len(done.values),
            provisional=done.final_from_ns is not None,
            settled=done.is_settled,
        )

    def _mark_final(self) -> None:
        """Mark provisional hours dirty that are over and complete by now."""
        now_ns = self._now_ns()
        over = {key: end_ns for key, end_ns in self._final_from.items() if end_ns <= now_ns}
        store = self._evaluator.store
        complete = {gateway: complete_until_ns(store, gateway) for gateway, _ in over}
        for (gateway_id, hour_ns), end_ns in over.items():
            if end_ns <= complete[gateway_id]:
                store.mark_dirty(gateway_id, hour_ns, hour_ns + HOUR_NS)
                self._not_before.pop((gateway_id, hour_ns), None)

    def _find_provisional(self) -> None:
        """Find the hours that were provisional when this process began."""
        now_ns = self._now_ns()
        for hour_ns in utc_hours(now_ns - LOOK_BACK_NS, now_ns + HOUR_NS):
            revisions = self._evaluator.store.hourly(
                facility=None, channel=None, from_ns=hour_ns, to_ns=hour_ns + HOUR_NS
            )
            for value in (one.value for one in revisions if one.value.is_provisional):
                self._final_from[value.gateway_id, hour_ns] = value.hour_ns + HOUR_NS

    def _wait_ns(self) -> int:
        """Return how long there is nothing to do unless woken: to the next due time or hour."""
        now_ns = self._now_ns()
        times = [now_ns + LONGEST_WAIT_NS, now_ns - now_ns % HOUR_NS + HOUR_NS]
        times += [at for at in self._not_before.values() if at > now_ns]
        least_ns = SECOND_NS
        if (end_ns := self._streams.next_end_ns(now_ns)) is not None:
            times.append(end_ns)
            least_ns = LOOK_AGAIN_NS
        return max(min(times) - now_ns, least_ns)


def live_interval_ns(count: int) -> int:
    """Return how long a running hour rests that has been computed so often before."""
    return min(LONGEST_LIVE_INTERVAL_NS, round(LIVE_INTERVAL_NS * LIVE_GROWTH**count))
