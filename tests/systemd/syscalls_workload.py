"""A short life of the uplink, the buffer and the clock, to be run where system calls are refused.

Prints `done` when everything worked. It is a program, run by test_syscalls.py under strace.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from edge_agent import logs

logs.keep_out()

import edge_agent.agent  # noqa: E402 - after keep_out, as the command does it; all it imports
from edge_agent.clock import SystemClock, boot_id  # noqa: E402
from edge_agent.config.model import HealthSettings  # noqa: E402
from edge_agent.identity import create_signing_key, load_signing_key  # noqa: E402
from tests.edge_agent.uplink.gateway import GATEWAY, gateway  # noqa: E402
from tests.edge_agent.uplink.http_centre import http_centre  # noqa: E402


async def live(folder: Path) -> None:
    """Commit, upload, listen on a socket, and read the clock."""
    create_signing_key(folder / "gateway.key")
    load_signing_key(folder / "gateway.key")
    async with http_centre(GATEWAY) as centre, gateway(folder, centre.url) as agent:
        await agent.commit(5, readings=10)
        if not await agent.uplink.flush(20):
            sys.exit(f"not delivered: {agent.uplink.status()}")


print(boot_id(), SystemClock().trust(), HealthSettings(socket=None), edge_agent.agent.FLUSH_LIMIT_S)
with tempfile.TemporaryDirectory() as name:
    asyncio.run(live(Path(name)))
print("done")
