"""A reload that cannot be carried out leaves the configuration in force as it was."""

import shutil
from pathlib import Path
from typing import Final

import pytest
from structlog.testing import capture_logs

from edge_agent.buffer.store import Buffer, BufferUnavailableError
from edge_agent.clock import SystemClock
from edge_agent.committer import Committer
from edge_agent.config.loading import load_plan
from edge_agent.config.plan import Plan
from edge_agent.configured import Configured
from edge_agent.health.systemd import Progress
from edge_agent.overview import Overview
from edge_agent.pipeline import Intake
from edge_agent.polling import Pollers
from edge_agent.uplink.client import open_uplink
from edge_agent.wire.document import Document
from tests.edge_agent.buffer.gateway import CENTRE, KEY, Gateway

GOOD: Final = Path(__file__).parents[1] / "cases" / "config" / "_good"


class Refusing(Buffer):
    """A buffer whose storage takes no document."""

    def __init__(self) -> None:
        """Have no storage."""

    async def keep(self, document: Document) -> None:
        """Refuse."""
        del document
        raise BufferUnavailableError("disk full")


@pytest.mark.asyncio
async def test_a_reload_that_storage_refuses_is_refused_and_the_agent_goes_on(
    tmp_path: Path,
) -> None:
    shutil.copytree(GOOD, tmp_path, dirs_exist_ok=True)
    clock, progress = SystemClock(), Progress()

    def plan() -> Plan:
        return load_plan(tmp_path / "agent.toml", environ={}, overrides={})

    active = Configured.of(plan(), KEY)
    identity = active.uploader({CENTRE.key_id: CENTRE.verifying_key})
    intake = Intake(active.judges, clock=clock, commit_interval_s=1)
    refusing: Buffer = Refusing()
    committer = Committer(intake, refusing)
    async with (
        Gateway(tmp_path).opened() as buffer,
        open_uplink(
            buffer, active.plan.settings.centre, identity, clock=clock, fraction=float
        ) as uplink,
    ):
        overview = Overview(active.plan, intake, committer, uplink, clock=clock)
        pollers = Pollers(intake, clock=clock, progress=progress)
        with capture_logs() as logs:
            after = await active.reloaded(plan, committer, pollers, overview)
    assert after is active
    refused = [log["problems"] for log in logs if log["event"] == "configuration.refused"]
    assert refused == [["disk full"]]
