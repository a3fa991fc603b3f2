"""How another configuration takes the place of the one in force, and how the old one comes back.

A change ends the open batch: a batch names one configuration only (docs/wire-format.md section 2).
The buffer is never opened, closed or emptied for it, and endpoints without a change keep their
connection. `probation` decides; the roll back is an order, so that it never meets a reload.
"""

import asyncio
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import structlog

from edge_agent.buffer.store import Buffer, BufferUnavailableError
from edge_agent.clock import NS_PER_S, Clock
from edge_agent.committer import Committer
from edge_agent.config.columns import numbers_of
from edge_agent.config.device import Device, Endpoint
from edge_agent.config.kept import Kept, Record
from edge_agent.config.plan import Plan
from edge_agent.configured import Configured, documents_kept
from edge_agent.errors import OperatorError
from edge_agent.lifetime import Order
from edge_agent.overview import Overview
from edge_agent.pipeline import Intake
from edge_agent.polling import Pollers
from edge_agent.probation import Probation, Seen, good_channels
from edge_agent.rekeying import Rekeying
from edge_agent.reload import changes
from edge_agent.wire.events import Event

LOOK_NS: Final = NS_PER_S
NAMES_TOLD: Final = 3
NOT_SURVIVED: Final = "the agent stopped before the probation was over"
RESTART: Final = "agent.toml has changed: it is read at a start only. Restart the agent"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The parts of the agent that a change concerns."""

    intake: Intake
    committer: Committer[Buffer]
    pollers: Pollers
    overview: Overview
    rekeying: Rekeying


class Applying:
    """Keeps a configuration in force: the one it began with, or what orders make of it."""

    def __init__(
        self, active: Configured, line: Line, reread: Callable[[], Plan], *, clock: Clock
    ) -> None:
        self._active = active
        self._line = line
        self._reread = reread
        self._clock = clock
        self._kept = Kept.of(active.plan.settings)
        self._before: Configured | None = None
        self._good: frozenset[int] = frozenset()
        self._probation: Probation | None = None
        self._switched_ns = 0
        self._lost: tuple[int, ...] = ()
        self._has_begun = asyncio.Event()
        self._show()

    async def start(self) -> None:
        """Begin to poll, and say which edition counts from now on."""
        plan = self._active.plan
        await self._line.pollers.apply(plan.devices)
        await self._change_key()
        record = Record(accepted=plan.edition)
        if plan.stands_in_for:
            told = await asyncio.to_thread(self._kept.record)
            why = told.reason or NOT_SURVIVED
            record = replace(record, refused=plan.stands_in_for, reason=why)
            self._tell(rolled_back=plan.stands_in_for, rolled_back_why=why)
            log.error("configuration.stood_in", edition=plan.edition, reason=why)
        self._warn_unkept(plan)
        await self._write(record)

    async def carry_out(self, order: Order) -> str:
        """Carry out a reload or a roll back; return a line about what is in force then."""
        match order:
            case Order.ROLL_BACK if self._before is not None and self._lost:
                await self._roll_back(self._before)
            case Order.ACCEPT if self._probation is not None:
                await self._accept()
            case Order.RELOAD:
                await self._change_key()
                problems = await self._reloaded()
                if problems:
                    log.error("configuration.refused", problems=list(problems))
                count = self._line.overview.configuration.reloads + 1
                self._tell(problems=problems, reloads=count)
        return f"polling {len(self._active.plan.devices)} devices"

    async def watch(self, give: Callable[[Order], None]) -> None:
        """Look at what is on probation, for ever, and order what follows from it."""
        while True:
            await self._has_begun.wait()
            now_ns = self._clock.now().mono_ns
            if self._probation is not None:
                self._probation = self._probation.after(self._seen(self._probation), now_ns)
                self._lost = self._probation.lost(now_ns)
                if self._lost:
                    give(Order.ROLL_BACK)
                elif self._probation.has_passed(now_ns):
                    give(Order.ACCEPT)
            await self._clock.sleep_until(now_ns + LOOK_NS)

    async def _change_key(self) -> None:
        """Let another signing key follow, if one waits for it."""
        key = await self._line.rekeying.carried_out()
        if key is not None:
            self._active = self._active.signed_by(key)
            self._before = self._before and self._before.signed_by(key)

    async def _reloaded(self) -> tuple[str, ...]:
        """Put the files in force; return why not, where they cannot be."""
        try:
            plan = await asyncio.to_thread(self._reread)
        except OperatorError as error:
            return error.problems
        if plan.settings != self._active.plan.settings:
            return (RESTART,)
        try:
            await documents_kept(self._line.committer.buffer, plan)
        except BufferUnavailableError as error:
            return (str(error),)
        if plan.edition == self._active.plan.edition:
            self._tell(rolled_back="", rolled_back_why="")
            return ()
        await self._try(Configured.of(plan, self._active.origin.key, self._active))
        return ()

    async def _try(self, after: Configured) -> None:
        """Put a configuration in force, on probation where something was good before."""
        before = self._before or self._active
        good = self._good | set(self._good_now(self._active.plan.devices))
        length_s = after.plan.settings.apply.probation_s
        now_ns = self._clock.now().mono_ns
        probation = Probation.of(after.plan.devices, good, length_s=length_s, now_ns=now_ns)
        if probation is not None:
            self._warn_unkept(after.plan)
            tried = Record(accepted=before.plan.edition, tried=after.plan.edition)
            await self._write(tried)
        await self._switch(after)
        self._before, self._good, self._probation = before, frozenset(good), probation
        self._tell(rolled_back="", rolled_back_why="")
        log.info("configuration.applied", config_hash=after.plan.config_hash.hex())
        if probation is None:
            await self._accept()
            return
        now = self._clock.now()
        self._tell(probation_until_ns=now.utc_ns + probation.ends_ns - now.mono_ns)
        self._has_begun.set()

    async def _switch(self, after: Configured) -> None:
        """Stop what changes, commit under the old configuration, go on under the new one."""
        line = self._line
        self._has_begun.clear()
        self._probation, self._lost = None, ()
        await line.pollers.stop_changed(after.plan.devices)
        self._close_gaps(changes(self._active.plan.devices, after.plan.devices).stops)
        await line.committer.switch(after.judges, after.origin)
        self._switched_ns = self._clock.now().mono_ns
        line.pollers.start_changed(after.plan.devices)
        self._active = after
        self._show()
        self._tell(edition=after.plan.edition)

    def _close_gaps(self, stopped: Container[Endpoint]) -> None:
        """End the gaps of devices that are not polled any more as they were.

        What they miss from now on is told by the pollers that come, or is not due any more.
        """
        now, overview = self._clock.now(), self._line.overview
        for device in self._active.plan.devices:
            gap = overview.open_gap(device)
            if gap is not None and device.endpoint in stopped:
                fields = {**gap.fields, "state": "closed", "to_ns": now.utc_ns}
                closed = replace(gap, at_ns=now.utc_ns, mono_ns=now.mono_ns, fields=fields)
                self._line.intake.record(closed)

    async def _accept(self) -> None:
        """Keep what is in force; there is no way back to what was before."""
        self._has_begun.clear()
        edition = self._active.plan.edition
        self._before, self._good, self._probation = None, frozenset(), None
        self._tell(probation_until_ns=None)
        await self._write(Record(accepted=edition))
        log.info("configuration.accepted", edition=edition)

    async def _roll_back(self, before: Configured) -> None:
        """Bring back what was in force before; the last batch of the other one says why."""
        refused, lost = self._active, self._lost
        reason = f"good before and bad since: {_named(refused.plan.devices, lost)}"
        edition = refused.plan.edition
        record = Record(accepted=before.plan.edition, refused=edition, reason=reason)
        await self._write(record)
        self._line.intake.record(self._note(before, reason))
        await self._switch(before)
        self._before, self._good = None, frozenset()
        self._tell(probation_until_ns=None, rolled_back=edition, rolled_back_why=reason)
        log.error(
            "configuration.rolled_back",
            edition=edition,
            config_hash=before.plan.config_hash.hex(),
            channels=list(lost),
            reason=reason,
        )

    def _note(self, before: Configured, reason: str) -> Event:
        """Return the signed event of a roll back (docs/wire-format.md section 10, `note`)."""
        now, refused = self._clock.now(), self._active
        return Event(
            type="note",
            at_ns=now.utc_ns,
            mono_ns=now.mono_ns,
            fields={
                "who": "agent",
                "text": f"configuration rolled back: {reason}",
                "channels": list(self._lost),
                "refused_hash": refused.plan.config_hash.hex(),
                "refused_edition": refused.plan.edition,
                "restored_hash": before.plan.config_hash.hex(),
                "restored_edition": before.plan.edition,
            },
        )

    def _good_now(self, devices: Iterable[Device]) -> Iterable[int]:
        """Yield the channels that are good: their device answers, their last reading is."""
        overview = self._line.overview
        for device in devices:
            readings = overview.recent.readings.get(device.name)
            if readings is not None and overview.open_gap(device) is None:
                yield from good_channels(readings).tolist()

    def _seen(self, probation: Probation) -> dict[str, Seen]:
        """Return what is known of each device that is watched, since the switch."""
        overview = self._line.overview
        devices = [one for one in self._active.plan.devices if one.name in probation.devices]
        seen: dict[str, Seen] = {}
        for device in devices:
            readings = overview.recent.readings.get(device.name)
            is_new = readings is not None and readings.mono_ns >= self._switched_ns
            seen[device.name] = Seen(
                readings=readings if is_new else None,
                is_silent=overview.open_gap(device) is not None,
            )
        return seen

    def _show(self) -> None:
        """Let the status be about what is in force."""
        overview, active = self._line.overview, self._active
        overview.plan = active.plan
        overview.scalings = {name: judge.scaling for name, judge in active.judges.items()}

    def _tell(self, **facts: str | int | tuple[str, ...] | None) -> None:
        """Let the status say something else."""
        overview = self._line.overview
        overview.configuration = replace(overview.configuration, **facts)  # type: ignore[arg-type]  # named by the callers here

    def _warn_unkept(self, plan: Plan) -> None:
        if not self._kept.has(plan.edition):
            reason = "its files could not be written"
            log.warning("configuration.unkept", folder=str(self._kept.folder), reason=reason)

    async def _write(self, record: Record) -> None:
        """Say on disk which edition counts; without it a restart takes the files as they are."""
        try:
            await asyncio.to_thread(self._kept.write, record)
        except OSError as fault:
            folder = str(self._kept.folder)
            log.warning("configuration.unkept", folder=folder, reason=str(fault))


def _named(devices: Sequence[Device], lost: Sequence[int]) -> str:
    """Return the names of the first channels that were lost, and how many more there are."""
    first = set(lost[:NAMES_TOLD])
    names = [
        row.name
        for device in devices
        if not first.isdisjoint(numbers_of(device.channels))
        for row in device.channels
        if row.channel in first
    ]
    more = len(lost) - len(first)
    return f"{', '.join(names)}{f' and {more} more' if more else ''}"
