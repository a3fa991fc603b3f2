"""One subscription to asyncua's server: what the tests of it share."""

import asyncio
from dataclasses import dataclass
from datetime import datetime

import pytest
from asyncua import ua
from asyncua.common.node import Node as ServerNode
from asyncua.server.internal_subscription import InternalSubscription
from asyncua.server.server import Server

from edge_agent.clock import NS_PER_S, SystemClock
from edge_agent.drivers.base import Connection, Delivery
from edge_agent.wire.readings import Scan

CLOCK = SystemClock()
LIMIT_S = 8
FLOAT = ua.VariantType.Float


@dataclass(frozen=True)
class Served:
    """A server that runs for all tests of the module, and its variables."""

    server: Server
    port: int
    variables: dict[str, ServerNode]

    async def say(
        self, value: float, *, name: str = "NOx", status: int = 0, at: datetime | None = None
    ) -> None:
        """Change a variable."""
        said = ua.DataValue(
            Value=ua.Variant(value, FLOAT),
            StatusCode=ua.StatusCode(ua.UInt32(status)),
            SourceTimestamp=at,  # type: ignore[arg-type]  # a datetime, in spite of its types
        )
        await self.variables[name].write_value(said)

    @property
    def subscription(self) -> InternalSubscription:
        """What the server holds of the one subscription there is."""
        (one,) = self.server.iserver.subscription_service.subscriptions.values()
        return one


async def heard(connection: Connection) -> Delivery:
    """Return the next delivery; what was heard before is acknowledged."""
    assert connection.listen is not None
    until_ns = CLOCK.now().mono_ns + LIMIT_S * NS_PER_S
    while CLOCK.now().mono_ns < until_ns:
        for delivery in await connection.listen(until_ns):
            return delivery
    pytest.fail("nothing was heard")


async def acknowledged(connection: Connection) -> None:
    """Say that what was heard is durable, and let the server know."""
    assert connection.listen is not None
    assert not await connection.listen(CLOCK.now().mono_ns + NS_PER_S // 3)


async def standing(connection: Connection) -> Scan:
    """Return what stands, as soon as the server has said once more that it does."""
    async with asyncio.timeout(LIMIT_S):
        while (scan := await connection.drivers[0].read()) is None:
            await acknowledged(connection)
    return scan
