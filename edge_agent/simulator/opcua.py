"""The plant's analyzers as an OPC UA server: docs/profiles.md, table 6, written from the profile.

The variables follow the plant twice a second; a failure of the analyzer is the StatusCode
BadSensorFailure of its gases. While the scenario lets the device be silent, nothing changes.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Final

from asyncua import ua
from asyncua.common.node import Node
from asyncua.server.server import Server

from edge_agent.clock import NS_PER_S, Clock
from edge_agent.config.profile import Profile
from edge_agent.config.protocols.opcua_profile import OpcuaPoint, OpcuaProfile
from edge_agent.errors import ExitCode, OperatorError
from edge_agent.simulator.encoding import GASES
from edge_agent.simulator.plant import Plant
from edge_agent.simulator.shipped import free_port, shipped

PROFILE: Final = "emissionwatch/simulated-opcua"
PERIOD_NS: Final = NS_PER_S // 2
BAD_SENSOR_FAILURE: Final = 0x808C_0000
VARIANTS: Final = {
    "bool": ua.VariantType.Boolean,
    "int64": ua.VariantType.Int32,
    "uint64": ua.VariantType.UInt64,
    "float32": ua.VariantType.Float,
    "float64": ua.VariantType.Double,
}


@asynccontextmanager
async def opcua(
    plants: Sequence[Plant], *, host: str, port: int, clock: Clock
) -> AsyncIterator[tuple[int, ...]]:
    """Be the servers of `stack-1`, `stack-2`, ... on ports that follow, until the end of the block.

    Yields:
        The ports.

    Raises:
        OperatorError: a port is in use.

    """
    profile = shipped(PROFILE)
    ports = tuple(port + index if port else free_port(host) for index in range(len(plants)))
    async with AsyncExitStack() as stack:
        for plant, one in zip(plants, ports, strict=True):
            try:
                await stack.enter_async_context(
                    serving(plant, profile, host=host, port=one, clock=clock)
                )
            except OSError as error:
                raise OperatorError(
                    f"port {one}: {error.strerror or error}. Choose another with --port",
                    exit_code=ExitCode.UNAVAILABLE,
                ) from error
        yield ports


@asynccontextmanager
async def serving(
    plant: Plant, profile: Profile, *, host: str, port: int, clock: Clock
) -> AsyncIterator[str]:
    """Run the server of one stack; yields its URL.

    Args:
        plant: what the analyzers measure.
        profile: how they say it; of a device that speaks OPC UA.
        host: address to listen on.
        port: to listen on.
        clock: gives pace and source times.

    """
    if not isinstance(profile, OpcuaProfile):
        raise TypeError(f"{profile.id} is no profile of a device that speaks OPC UA")
    server = Server()
    await server.init()
    url = f"opc.tcp://{host}:{port}"
    server.set_endpoint(url)
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    variables = [(point, await _added(server, point)) for point in profile.points.values()]
    async with server, asyncio.TaskGroup() as group:
        await _follow(plant, variables, clock)
        following = group.create_task(_followed(plant, variables, clock))
        try:
            yield url
        finally:
            following.cancel()


async def _added(server: Server, point: OpcuaPoint) -> Node:
    namespace, _, identifier = point.node.rpartition(";")
    index = await server.register_namespace(namespace.removeprefix("nsu="))
    name = identifier.removeprefix("s=")
    first = ua.Variant(False if point.raw_type == "bool" else 0.0, VARIANTS[point.raw_type])
    node_id = ua.NodeId(ua.String(name), ua.Int16(index))
    return await server.nodes.objects.add_variable(node_id, name, first)


async def _followed(plant: Plant, variables: list[tuple[OpcuaPoint, Node]], clock: Clock) -> None:
    while True:
        await clock.sleep_until(clock.now().mono_ns + PERIOD_NS)
        await _follow(plant, variables, clock)


async def _follow(plant: Plant, variables: list[tuple[OpcuaPoint, Node]], clock: Clock) -> None:
    at_ns = clock.now().utc_ns
    if plant.is_silent(at_ns):
        return
    indication = plant.indicated(at_ns)
    source = datetime.fromtimestamp(at_ns / NS_PER_S, UTC)
    for point, node in variables:
        value = indication.values.get(point.parameter or "", 0.0)
        has_failed = indication.has_failed and point.parameter in GASES
        variant = VARIANTS[point.raw_type]
        typed = bool(value) if point.raw_type == "bool" else value
        await node.write_value(
            ua.DataValue(
                Value=ua.Variant(int(typed) if point.raw_type == "int64" else typed, variant),
                StatusCode=ua.StatusCode(ua.UInt32(BAD_SENSOR_FAILURE if has_failed else 0)),
                SourceTimestamp=source,  # type: ignore[arg-type]  # a datetime, in spite of its types
            )
        )
