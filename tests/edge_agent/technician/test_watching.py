"""The screen of `watch`, driven as a person would, over the agent's real local HTTP."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import DataTable, Static

from edge_agent.clock import SystemClock
from edge_agent.config.model import HealthSettings
from edge_agent.health.pages import Sources
from edge_agent.health.server import serve_health
from edge_agent.health.status import ChannelStatus, Snapshot
from edge_agent.technician.asking import Answer, asked
from edge_agent.technician.watching import Watch
from edge_agent.wire.vocabulary import QualityClass, Reason
from tests.edge_agent.health.snapshots import DEVICE, NOW_NS, WELL

pytestmark = pytest.mark.asyncio

SMALL = (80, 24)
NOX = ChannelStatus(
    channel=1,
    name="NOx [stack 1]",
    facility="north",
    device="nox-1",
    parameter="nox",
    unit_of_measure="ppm",
    at_ns=NOW_NS,
    raw=1234,
    value="123.4",
    quality=int(Reason.JUDGED),
    status=4,
    is_stale=False,
    raw_type="int16",
    word_order="ABCD",
)
SO2 = replace(
    NOX,
    channel=2,
    name="SO2",
    value=None,
    quality=int(Reason.JUDGED | Reason.COMMUNICATION) | QualityClass.FAILURE,
)


@dataclass
class Agent:
    """What the agent's pages are made of; a test may change it."""

    snapshot: Snapshot = WELL
    channels: list[ChannelStatus] = field(default_factory=lambda: [NOX, SO2])

    def sources(self) -> Sources:
        """Return where the pages get it."""
        return Sources(
            snapshot=lambda: self.snapshot,
            channels=lambda: self.channels,
            events=lambda: [{"type": "note", "at_ns": "0", "who": "agent", "text": "hello"}],
            stalled=tuple,
        )


@dataclass
class Screen:
    """The screen, and what a person sees on it."""

    pilot: Pilot[None]
    app: Watch
    agent: Agent

    @property
    def rows(self) -> list[list[str]]:
        """The cells of every line."""
        table = self.app.query_one(DataTable)
        return [[str(cell) for cell in table.get_row_at(at)] for at in range(table.row_count)]

    @property
    def headline(self) -> str:
        """The line about the agent."""
        return str(self.app.query_one("#agent", Static).content)

    @property
    def events(self) -> str:
        """The last events."""
        return str(self.app.query_one("#events", Static).content)

    async def press(self, key: str) -> None:
        """Press a key and let the screen follow."""
        await self.pilot.press(key)
        await self.pilot.pause()

    async def ask_again(self) -> None:
        """Let the next answer be drawn."""
        for _ in range(2):  # the one under way may have asked before the agent changed
            await self.app.workers.wait_for_complete()
            await self.pilot.pause()
            self.app.ask_again()
        await self.app.workers.wait_for_complete()
        await self.pilot.pause()


@asynccontextmanager
async def watched(tmp_path: Path) -> AsyncIterator[Screen]:
    """Yield the screen of an agent that answers at a socket, with its first answer on it."""
    path, agent = tmp_path / "s", Agent()

    def ask(page: str) -> Answer | None:
        return asked(path, page)

    async with asyncio.TaskGroup() as group:
        settings = HealthSettings(socket=path)
        serving = group.create_task(serve_health(settings, agent.sources(), SystemClock()))
        for _ in range(100):  # until it listens
            await asyncio.sleep(0)
        app = Watch(ask)
        async with app.run_test(size=SMALL) as pilot:
            screen = Screen(pilot, app, agent)
            await screen.ask_again()
            yield screen
        serving.cancel()


async def test_every_channel_has_a_line_and_the_agent_a_headline(tmp_path: Path) -> None:
    async with watched(tmp_path) as screen:
        assert screen.rows == [
            ["1", "NOx [stack 1]", "123.4", "ppm", "good", "0s", "04D2"],
            ["2", "SO2", "-", "ppm", "failure", "0s", "04D2"],
        ]
        assert screen.headline == "08:00:00Z  1 devices  3600 readings wait  no alarms"
        assert screen.events == "00:00:00 note: hello"


async def test_r_shows_raw_registers_and_values_again(tmp_path: Path) -> None:
    async with watched(tmp_path) as screen:
        await screen.press("r")
        assert screen.rows[1] == [
            *("2", "SO2", "04D2", "int16 ABCD", "00000004", "communicati…"),
        ]
        await screen.press("r")
        assert screen.rows[0][2] == "123.4"


async def test_b_shows_only_what_is_not_well(tmp_path: Path) -> None:
    async with watched(tmp_path) as screen:
        await screen.press("b")
        assert [row[1] for row in screen.rows] == ["SO2"]
        await screen.press("b")
        assert len(screen.rows) == 2


async def test_a_new_reading_replaces_the_old_one(tmp_path: Path) -> None:
    async with watched(tmp_path) as screen:
        screen.agent.channels = [replace(NOX, value="99.0"), SO2]
        await screen.ask_again()
        assert screen.rows[0][2] == "99.0"


async def test_another_configuration_brings_other_channels(tmp_path: Path) -> None:
    async with watched(tmp_path) as screen:
        screen.agent.channels = [SO2, replace(NOX, channel=3)]
        await screen.ask_again()
        assert [row[0] for row in screen.rows] == ["2", "3"]


async def test_a_silent_device_and_an_alarm_stand_in_the_headline(tmp_path: Path) -> None:
    async with watched(tmp_path) as screen:
        silent = replace(DEVICE, gap_since_ns=NOW_NS - 20 * 60 * 10**9, last_error="no_answer")
        screen.agent.snapshot = replace(WELL, devices=(silent,))
        await screen.ask_again()
        assert "1 devices, 1 silent" in screen.headline
        assert "alarms: device_silent" in screen.headline


async def test_an_agent_that_is_gone_is_told_and_the_last_readings_stay(tmp_path: Path) -> None:
    async with watched(tmp_path) as screen:
        (tmp_path / "s").unlink()
        await screen.ask_again()
        assert screen.headline == "the agent is not running"
        assert len(screen.rows) == 2


async def test_q_ends_it(tmp_path: Path) -> None:
    async with watched(tmp_path) as screen:
        await screen.press("q")
        assert screen.app.return_code == 0


async def test_everything_stands_on_a_screen_of_80_by_24(tmp_path: Path) -> None:
    async with watched(tmp_path) as screen:
        table = screen.app.query_one(DataTable)
        assert table.virtual_size.width <= 78
        assert screen.app.query_one("#events", Static).region.bottom <= 23
