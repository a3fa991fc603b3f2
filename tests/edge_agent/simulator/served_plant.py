"""A plant served on a port of its own, a client of it, and the record of what it answered."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from pymodbus.client import AsyncModbusTcpClient

from edge_agent.clock import SystemClock
from edge_agent.simulator.modbus import serving
from edge_agent.simulator.plant import Plant
from edge_agent.simulator.record import record_in
from edge_agent.simulator.service import SimulatorSettings, plant_analyzers

SETTINGS = SimulatorSettings(port=0)
COUNT = 44  # holding registers 0 to 43: values, status words, poll counter


@asynccontextmanager
async def plant(
    settings: SimulatorSettings = SETTINGS, *, started_before_s: float = 0.0
) -> AsyncIterator[tuple[AsyncModbusTcpClient, Plant]]:
    """Yield a client of the first device of a plant that has run for a while."""
    clock = SystemClock()
    started_ns = clock.now().utc_ns - round(started_before_s * 1e9)
    with record_in(settings.log) as record:
        devices = plant_analyzers(settings, record=record, started_ns=started_ns)
        async with serving(devices, host="127.0.0.1", port=0, clock=clock) as ports:
            client = AsyncModbusTcpClient(
                "127.0.0.1", port=ports[0], timeout=0.3, retries=0, reconnect_delay=0
            )
            assert await client.connect()
            try:
                yield client, devices[0].plant
            finally:
                client.close()


async def registers(client: AsyncModbusTcpClient) -> Sequence[int]:
    """Return holding registers 0 to 43."""
    answer = await client.read_holding_registers(0, count=COUNT, device_id=1)
    assert not answer.isError(), answer
    return answer.registers


def lines(path: Path) -> list[dict[str, object]]:
    """Return a record."""
    return [json.loads(line) for line in path.read_text().splitlines()]
