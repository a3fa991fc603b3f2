"""`edge-agent buffer info` over damaged files: it says what became of them, and ends the alarm."""

import asyncio
import json
from pathlib import Path

import pytest

from edge_agent.buffer.quarantine import FOLDER, is_seen
from edge_agent.cli import buffer, init
from edge_agent.errors import ExitCode
from tests.edge_agent.buffer.reopening import BATCHES, filled, quarantined, sql
from tests.edge_agent.buffer.salvage import started


async def damaged_and_salvaged(folder: Path) -> Path:
    """Leave a buffer in a folder that was brought back from damaged files; return these."""
    gateway, _ = await filled(folder)
    sql("UPDATE chain SET first_position = 2")(gateway.path)
    async with started(gateway) as (_, salvager):
        await salvager.once()
    return quarantined(gateway)[0].parent


def test_it_says_what_became_of_damaged_files_and_that_somebody_has_looked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "agent.toml"
    where = ["--config", str(config), "--state", str(tmp_path), "--socket", str(tmp_path / "s")]
    assert init.main(["--facility", "P", "--centre", "http://127.0.0.1:9", *where]) == ExitCode.OK
    (tmp_path / "centre-receipt.pem").write_bytes((tmp_path / "gateway.pub").read_bytes())
    aside = asyncio.run(damaged_and_salvaged(tmp_path))
    capsys.readouterr()
    assert not is_seen(aside)
    assert buffer.main(["info", "--config", str(config), "--json"]) == ExitCode.OK
    facts = json.loads(capsys.readouterr().out)
    assert facts[f"{FOLDER}/{aside.name}"] == (
        f"done: {BATCHES + 1} batches brought back, 0 lost, 0 of another gateway or key"
    )
    assert facts["unreceipted_batches"] > 1
    assert is_seen(aside)
