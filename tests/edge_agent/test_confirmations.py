"""What a technician stands for becomes a signed event, when and only when its files are applied."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.config.loading import load_plan
from edge_agent.configured import Configured
from edge_agent.wire.vocabulary import Hash
from tests.edge_agent.buffer.gateway import KEY, Gateway, Portion, events_of

GOOD = Path(__file__).parents[1] / "cases" / "config" / "_good"
CONFIRMED = """
[[confirmations]]
what = "reading"
who = "A. Tech"
at = "2026-11-20T10:12:00Z"
how = "panel 118.3, read 118.25 ppm"
"""


@pytest.mark.asyncio
async def test_confirmations_are_signed_behind_the_configuration_they_are_in(
    tmp_path: Path,
) -> None:
    shutil.copytree(GOOD, tmp_path, dirs_exist_ok=True)
    file = min((tmp_path / "devices.d").glob("*.toml"))
    file.write_text(file.read_text() + CONFIRMED)
    origin = Configured.of(load_plan(tmp_path / "agent.toml", environ={}, overrides={}), KEY).origin
    gateway = Gateway(tmp_path)
    gateway.origin = replace(gateway.origin, confirmations=origin.confirmations)
    async with gateway.opened() as buffer:
        held = await buffer.unreceipted(10)
        held += await buffer.append(Portion(events=(gateway.note("later"),)))
        await buffer.apply(replace(gateway.origin, config_hash=Hash(b"d" * 32)))
        held += await buffer.append(Portion(events=(gateway.note("another"),)))
        first, second, third = map(events_of, await buffer.frames(held))
    kinds = [[event.type for event in told] for told in (first, second, third)]
    assert kinds == [
        ["continue", "config_applied", "confirmation", "boot"],
        ["note"],
        ["config_applied", "confirmation", "note"],
    ]
    assert dict(first[2].fields) == {
        "who": "A. Tech",
        "what": "reading",
        "device": load_plan(tmp_path / "agent.toml", environ={}, overrides={}).devices[0].name,
        "channels": [],
        "confirmed_at": "2026-11-20T10:12:00Z",
        "how": "panel 118.3, read 118.25 ppm",
    }
