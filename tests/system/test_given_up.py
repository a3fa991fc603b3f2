"""A gateway that gave up readings and was on memory for a while, uploaded to the real centre."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from edge_agent.buffer.faults import BufferUnavailableError
from edge_agent.buffer.records import Boot
from edge_agent.buffer.store import open_buffer
from edge_agent.clock import SystemClock, boot_id
from edge_agent.config.loading import load_plan
from edge_agent.configured import Configured
from edge_agent.identity import load_signing_key
from edge_agent.wire.vocabulary import Verdict
from tests.edge_agent.buffer.gateway import Gateway
from tests.edge_agent.buffer.storage_faults import Failing
from tests.system.evidence import Witness
from tests.system.installation import Installation, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from edge_agent.buffer.records import Counters

ROOM_PAGES = 300
COMMITS = 40


async def filled(one: Installation, monkeypatch: pytest.MonkeyPatch) -> Counters:
    """Fill the gateway's buffer until readings are given up, the storage failing on the way."""
    plan = load_plan(one.config, environ={}, overrides={})
    origin = Configured.of(plan, load_signing_key(plan.settings.gateway.key_file)).origin
    boot = Boot(boot_id=boot_id())
    noise = Gateway(one.folder)
    noise.clock = SystemClock()  # type: ignore[assignment]  # the centre believes no other
    async with open_buffer(
        plan.settings.buffer, origin=origin, clock=SystemClock(), boot=boot
    ) as buffer:
        buffer._writer.quota._page_limit = ROOM_PAGES
        failing = Failing(buffer._writer.database, monkeypatch)
        for count in range(COMMITS):
            failing.refuses = count in {20, 21, 22}
            portion = noise.portion(400)
            try:
                await buffer.append(portion)
            except BufferUnavailableError:
                assert await buffer.append_volatile(portion)
        return buffer.counters


def verdicts(path: Path) -> dict[int, int]:
    """Return how many batches the centre holds by verdict."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return dict(connection.execute("SELECT verdict, count(*) FROM batch GROUP BY verdict"))


@pytest.mark.system
def test_the_centre_takes_headstones_losses_and_a_chain_from_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Installation(tmp_path / "one", seed=1) as one:
        one.install(one.centre_port)
        counters = asyncio.run(filled(one, monkeypatch))
        assert counters.given_up > 10
        one.start_centre()
        one.start_agent()
        witness = Witness(one)
        wait_until("an upload", lambda: len(verdicts(one.centre_file)) > 1, limit_s=30)
        wait_until("nothing waits", lambda: witness.unreceipted() <= 1, limit_s=30)
        assert one.stop("agent") == 0
        found = verdicts(one.centre_file)
        assert found.keys() == {Verdict.ACCEPTED, Verdict.HEADSTONE}
        assert found[Verdict.HEADSTONE] == counters.given_up
        witness.look()
        report = witness.verdict()
        assert report["headstones"] == counters.given_up
        assert not report["invalid"]
        assert not report["duplicates"]
        assert not report["lost_committed"]
        with closing(sqlite3.connect(one.centre_file)) as centre:
            alarms = centre.execute("SELECT code FROM alarm WHERE closed_ns IS NULL").fetchall()
        assert alarms == []
