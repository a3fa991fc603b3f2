"""What of the world's failures is not the agent's end."""

import asyncio

import pytest
from structlog.testing import capture_logs

from edge_agent.agent import STORAGE_PAUSE_S, kept_up
from edge_agent.buffer.faults import BufferUnavailableError
from tests.edge_agent.line import S, SteppedClock


@pytest.mark.asyncio
async def test_uploading_goes_on_after_the_storage_could_not_be_read() -> None:
    clock = SteppedClock()
    began_ns, calls = clock.mono_ns, 0

    async def upload() -> None:
        nonlocal calls
        calls += 1
        if calls < 3:
            raise BufferUnavailableError("disk I/O error")
        raise asyncio.CancelledError

    with capture_logs() as logs, pytest.raises(asyncio.CancelledError):
        await kept_up(upload, clock)
    assert clock.mono_ns == began_ns + 2 * STORAGE_PAUSE_S * S
    assert [log["event"] for log in logs] == ["upload.postponed"] * 2
