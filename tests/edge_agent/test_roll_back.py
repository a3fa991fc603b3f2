"""Reload upon reload: what comes back is what was accepted, and only for what is in force."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from edge_agent.applying import Applying, Line
from edge_agent.committer import Committer
from edge_agent.config.editions import plan_at_reload
from edge_agent.config.kept import Kept, Record
from edge_agent.config.plan import Plan
from edge_agent.configured import Configured
from edge_agent.health.systemd import Progress
from edge_agent.identity import NextKey
from edge_agent.lifetime import Order
from edge_agent.overview import Overview
from edge_agent.pipeline import Intake
from edge_agent.polling import Pollers
from edge_agent.rekeying import Rekeying
from edge_agent.uplink.client import open_uplink
from edge_agent.wire.readings import Readings
from edge_agent.wire.vocabulary import Reason
from tests.conformance.driver.intake import HurriedClock
from tests.edge_agent.buffer.gateway import CENTRE, KEY, Gateway

pytestmark = pytest.mark.asyncio

GOOD: Final = Path(__file__).parents[1] / "cases" / "config" / "_good"
LIMIT_S: Final = 30


@dataclass
class Place:
    """A gateway whose device was good, and answers no more once it is polled."""

    folder: Path
    applying: Applying
    overview: Overview

    @property
    def record(self) -> Record:
        """Which editions count on disk."""
        return Kept.of(self.overview.plan.settings).record()

    async def reload(self, period_s: float) -> str:
        """Reload with another period; return the edition of it."""
        _write(self.folder, period_s)
        await self.applying.carry_out(Order.RELOAD)
        return self.overview.configuration.edition

    async def until_lost(self) -> None:
        """Return once the watch has ordered the way back."""
        is_ordered = asyncio.Event()

        def give(order: Order) -> None:
            assert order is Order.ROLL_BACK
            is_ordered.set()

        (device,) = self.overview.plan.devices
        async with asyncio.timeout(LIMIT_S), asyncio.TaskGroup() as group:
            while self.overview.open_gap(device) is None:  # noqa: ASYNC110 - nobody says when
                await asyncio.sleep(0)  # the line is real, and takes its time
            watching = group.create_task(self.applying.watch(give))
            await is_ordered.wait()
            watching.cancel()


def _write(folder: Path, period_s: float) -> None:
    text = (
        (GOOD / "devices.d" / "stack-1.toml").read_text().replace("127.0.0.1:5020", "127.0.0.1:1")
    )
    (folder / "devices.d" / "stack-1.toml").write_text(f"period_s = {period_s}\n{text}")


@asynccontextmanager
async def place(folder: Path) -> AsyncIterator[Place]:
    """Yield a gateway with one good device, polled every second by what it began with."""
    shutil.copytree(GOOD, folder, dirs_exist_ok=True)
    _write(folder, 1.0)

    def reread() -> Plan:
        return plan_at_reload(folder / "agent.toml", environ={}, overrides={})

    clock = HurriedClock()
    active = Configured.of(reread(), KEY)
    identity = active.uploader({CENTRE.key_id: CENTRE.verifying_key})
    intake = Intake(active.judges, clock=clock, commit_interval_s=1)
    centre = active.plan.settings.centre
    async with (
        Gateway(folder).opened() as buffer,
        open_uplink(buffer, centre, identity, clock=clock, fraction=float) as uplink,
    ):
        committer = Committer(intake, buffer)
        overview = Overview(active.plan, intake, committer, uplink, clock=clock)
        (device,) = active.plan.devices
        now = clock.now()
        count = len(device.channels)
        readings = Readings(
            at_ns=now.utc_ns,
            mono_ns=now.mono_ns,
            channel=np.array([row.channel for row in device.channels], np.uint32),
            raw=np.zeros(count, np.int64),
            status=np.zeros(count, np.uint32),
            quality=np.full(count, Reason.JUDGED, np.uint32),
        )
        overview.recent.took(device.name, readings)
        pollers = Pollers(intake, clock=clock, progress=Progress())
        keys = NextKey(key_file=folder / "gateway.key")
        line = Line(
            intake=intake,
            committer=committer,
            pollers=pollers,
            overview=overview,
            rekeying=Rekeying(keys, committer, clock=clock),
        )
        async with pollers:
            yield Place(folder, Applying(active, line, reread, clock=clock), overview)


async def test_what_comes_back_is_what_was_accepted_and_not_what_was_tried_before(
    tmp_path: Path,
) -> None:
    async with place(tmp_path) as one:
        accepted = one.overview.configuration.edition
        tried = [await one.reload(2.0), await one.reload(3.0)]
        assert len({accepted, *tried}) == 3
        assert one.record == Record(accepted=accepted, tried=tried[-1])
        await one.until_lost()
        await one.applying.carry_out(Order.ROLL_BACK)
        told = one.overview.configuration
        assert (told.edition, told.rolled_back) == (accepted, tried[-1])
        assert told.rolled_back_why.startswith("good before and bad since: ")
        assert told.probation_until_ns is None
        assert one.overview.plan.devices[0].period_s == 1.0
        assert (one.record.accepted, one.record.refused) == (accepted, tried[-1])


async def test_the_way_back_from_what_is_not_in_force_any_more_is_not_taken(
    tmp_path: Path,
) -> None:
    async with place(tmp_path) as one:
        await one.reload(2.0)
        await one.until_lost()
        mended = await one.reload(3.0)
        await one.applying.carry_out(Order.ROLL_BACK)
        assert one.overview.configuration.edition == mended


async def test_applying_the_same_files_again_after_a_roll_back_tries_them_again(
    tmp_path: Path,
) -> None:
    async with place(tmp_path) as one:
        tried = await one.reload(2.0)
        await one.until_lost()
        await one.applying.carry_out(Order.ROLL_BACK)
        await one.applying.carry_out(Order.RELOAD)
        told = one.overview.configuration
        assert (told.edition, told.rolled_back) == (tried, "")


async def test_going_back_to_the_accepted_files_ends_the_alarm(tmp_path: Path) -> None:
    async with place(tmp_path) as one:
        accepted = one.overview.configuration.edition
        await one.reload(2.0)
        await one.until_lost()
        await one.applying.carry_out(Order.ROLL_BACK)
        assert await one.reload(1.0) == accepted
        assert one.overview.configuration.rolled_back == ""
