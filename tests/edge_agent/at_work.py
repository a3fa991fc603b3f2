"""What carries out reloads, with real parts around it and pollers that have not begun."""

import re
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from edge_agent.applying import Applying, Line
from edge_agent.buffer.store import Buffer
from edge_agent.clock import SystemClock
from edge_agent.committer import Committer
from edge_agent.config.loading import load_plan
from edge_agent.config.plan import Plan
from edge_agent.configured import Configured
from edge_agent.health.systemd import Progress
from edge_agent.identity import NextKey
from edge_agent.overview import Overview
from edge_agent.pipeline import Intake
from edge_agent.polling import Pollers
from edge_agent.rekeying import Rekeying
from edge_agent.uplink.client import open_uplink
from tests.edge_agent.buffer.gateway import CENTRE, GATEWAY, KEY, Gateway

GOOD: Final = Path(__file__).parents[1] / "cases" / "config" / "_good"


def without_a_device(folder: Path) -> Path:
    """Make the folder that of a gateway without a mistake, whose device is not there."""
    shutil.copytree(GOOD, folder, dirs_exist_ok=True)
    path = folder / "devices.d" / "stack-1.toml"
    path.write_text(path.read_text().replace("127.0.0.1:5020", "127.0.0.1:1"))
    agent = folder / "agent.toml"
    agent.write_text(re.sub(r'(?m)^id = ".*"', f'id = "{GATEWAY}"', agent.read_text()))
    return folder


def plan(folder: Path) -> Plan:
    """Return what the files say."""
    return load_plan(folder / "agent.toml", environ={}, overrides={})


@asynccontextmanager
async def applying(
    folder: Path, reread: Callable[[], Plan], storage: Buffer | None = None
) -> AsyncIterator[tuple[Applying, Overview]]:
    """Yield what carries out reloads of a gateway whose pollers have not begun."""
    clock = SystemClock()
    active = Configured.of(plan(folder), KEY)
    identity = active.uploader({CENTRE.key_id: CENTRE.verifying_key})
    intake = Intake(active.judges, clock=clock, commit_interval_s=1)
    centre = active.plan.settings.centre
    async with (
        Gateway(folder).opened() as buffer,
        open_uplink(buffer, centre, identity, clock=clock, fraction=float) as uplink,
    ):
        committer = Committer(intake, storage or buffer)
        overview = Overview(active.plan, intake, committer, uplink, clock=clock)
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
            yield Applying(active, line, reread, clock=clock), overview
