"""A reload that cannot be carried out leaves the configuration in force as it was."""

from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import Final

import pytest
from structlog.testing import capture_logs

from edge_agent.buffer.store import Buffer, BufferUnavailableError
from edge_agent.buffer.verifying import THOROUGH, Intact, inspect_file
from edge_agent.config.plan import Plan
from edge_agent.errors import OperatorError
from edge_agent.health.status import ConfigurationStatus
from edge_agent.lifetime import Order
from edge_agent.wire.document import Document
from edge_agent.wire.events import Event
from tests.edge_agent.at_work import applying, plan, without_a_device
from tests.edge_agent.buffer.gateway import GATEWAY, KEY

RELOADS: Final = 200
SHARED_LINE: Final = "agent.toml has changed: it is read at a start only. Restart the agent"


class Refusing(Buffer):
    """A buffer whose storage takes no document."""

    def __init__(self) -> None:
        """Have no storage."""

    async def keep(self, document: Document) -> None:
        """Refuse."""
        del document
        raise BufferUnavailableError("disk full")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of a gateway without a mistake, whose device is not there."""
    return without_a_device(tmp_path)


async def refused(folder: Path, reread: Callable[[], Plan], storage: Buffer | None = None) -> str:
    """Reload; return why nothing came of it, once it was told everywhere."""
    async with applying(folder, reread, storage) as (one, overview):
        before = overview.plan
        with capture_logs() as logs:
            assert await one.carry_out(Order.RELOAD) == "polling 1 devices"
        assert overview.plan is before
        told = overview.configuration
    (problem,) = told.problems
    assert told == ConfigurationStatus(edition=before.edition, reloads=1, problems=(problem,))
    assert [log["problems"] for log in logs if log["event"] == "configuration.refused"] == [
        [problem]
    ]
    return problem


@pytest.mark.asyncio
async def test_a_reload_that_storage_refuses_is_refused_and_the_agent_goes_on(
    folder: Path,
) -> None:
    assert await refused(folder, lambda: plan(folder), Refusing()) == "disk full"


@pytest.mark.asyncio
async def test_a_reload_with_another_agent_toml_is_refused(folder: Path) -> None:
    def reread() -> Plan:
        path = folder / "agent.toml"
        path.write_text(path.read_text() + "\n[log]\nlevel = 'debug'\n")
        return plan(folder)

    assert await refused(folder, reread) == SHARED_LINE


@pytest.mark.asyncio
async def test_a_reload_of_a_protocol_without_its_library_is_refused(folder: Path) -> None:
    def reread() -> Plan:
        raise OperatorError("opcua devices need asyncua, which is not installed")

    assert (await refused(folder, reread)).startswith("opcua devices need asyncua")


@pytest.mark.asyncio
async def test_a_roll_back_or_an_acceptance_without_a_probation_changes_nothing(
    folder: Path,
) -> None:
    async with applying(folder, lambda: plan(folder)) as (one, overview):
        before = overview.configuration
        for order in (Order.ROLL_BACK, Order.ACCEPT):
            await one.carry_out(order)
        assert overview.configuration == before


@pytest.mark.asyncio
async def test_where_nothing_was_good_what_is_applied_is_accepted_at_once(folder: Path) -> None:
    async with applying(folder, lambda: plan(folder)) as (one, overview):
        text = (folder / "devices.d" / "stack-1.toml").read_text()
        (folder / "devices.d" / "stack-1.toml").write_text("# the same\n" + text)
        await one.carry_out(Order.RELOAD)
        edition = plan(folder).edition
        assert overview.configuration == ConfigurationStatus(edition=edition, reloads=1)
    assert f'"accepted": "{edition}"' in (folder / "configurations" / "record.json").read_text()


@pytest.mark.asyncio
async def test_two_hundred_reloads_never_touch_the_buffer(folder: Path) -> None:
    plans = [plan(folder)]
    path = folder / "devices.d" / "stack-1.toml"
    path.write_text("# the same\n" + path.read_text())
    plans.append(plan(folder))
    turns = cycle(plans)
    async with applying(folder, lambda: next(turns)) as (one, overview):
        file = folder / "buffer.db"
        identity, intake, buffer = file.stat().st_ino, one._line.intake, one._line.committer.buffer
        numbers = []
        for _ in range(RELOADS):
            intake.record(Event(type="note", at_ns=1, mono_ns=1, fields={"who": "a", "text": "b"}))
            await one.carry_out(Order.RELOAD)
            assert buffer.head is not None
            numbers.append(buffer.head.header.batch_no)
        assert numbers == list(range(1, RELOADS + 1))
        assert overview.configuration.reloads == RELOADS
        assert file.stat().st_ino == identity
    found = inspect_file(file, gateway_id=GATEWAY, key=KEY.verifying_key, depth=THOROUGH)
    assert isinstance(found, Intact)
    assert len(found.chains) == 1
