"""The plant's analyzers as OPC UA servers, written from their profiles.

The variables follow the plant twice a second; a failure of the analyzer is the StatusCode
BadSensorFailure of what it measures. While the scenario lets the device be silent, nothing changes.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Final, TypeAlias

from asyncua import ua
from asyncua.common.node import Node
from asyncua.server.server import Server

from edge_agent.clock import NS_PER_S, Clock
from edge_agent.config.protocols.opcua_profile import OpcuaPoint, OpcuaProfile
from edge_agent.errors import ExitCode, OperatorError
from edge_agent.simulator.instrument import Instrument, unscaled
from edge_agent.simulator.shipped import free_port

PERIOD_NS: Final = NS_PER_S // 2
BAD_SENSOR_FAILURE: Final = 0x808C_0000
VARIANTS: Final = {
    "bool": ua.VariantType.Boolean,
    "int64": ua.VariantType.Int32,
    "uint64": ua.VariantType.UInt64,
    "float32": ua.VariantType.Float,
    "float64": ua.VariantType.Double,
}

Variables: TypeAlias = Mapping[str, tuple[OpcuaPoint, Node]]


@asynccontextmanager
async def opcua(
    instruments: Sequence[Instrument], *, host: str, port: int, clock: Clock
) -> AsyncIterator[tuple[int, ...]]:
    """Be the servers of instruments on ports that follow, until the end of the block.

    Yields:
        The ports.

    Raises:
        OperatorError: a port is in use.

    """
    ports = tuple(port + index if port else free_port(host) for index in range(len(instruments)))
    async with AsyncExitStack() as stack:
        for instrument, one in zip(instruments, ports, strict=True):
            try:
                await stack.enter_async_context(
                    serving(instrument, host=host, port=one, clock=clock)
                )
            except OSError as error:
                raise OperatorError(
                    f"port {one}: {error.strerror or error}. Choose another with --port",
                    exit_code=ExitCode.UNAVAILABLE,
                ) from error
        yield ports


@asynccontextmanager
async def serving(
    instrument: Instrument, *, host: str, port: int, clock: Clock
) -> AsyncIterator[str]:
    """Run the server of one instrument; yields its URL.

    Args:
        instrument: of a profile of OPC UA.
        host: address to listen on.
        port: to listen on.
        clock: gives pace and source times.

    """
    profile = instrument.profile
    if not isinstance(profile, OpcuaProfile):
        raise TypeError(f"{profile.id} is no profile of a device that speaks OPC UA")
    server = Server()
    await server.init()
    url = f"opc.tcp://{host}:{port}"
    server.set_endpoint(url)
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    variables = {
        name: (point, await _added(server, point)) for name, point in profile.points.items()
    }
    async with server, asyncio.TaskGroup() as group:
        await _follow(instrument, variables, clock)
        following = group.create_task(_followed(instrument, variables, clock))
        try:
            yield url
        finally:
            following.cancel()


async def _added(server: Server, point: OpcuaPoint) -> Node:
    namespace, _, identifier = point.node.rpartition(";")
    index = 0
    if namespace:
        index = await server.register_namespace(namespace.removeprefix("nsu="))
    first = ua.Variant(False if point.raw_type == "bool" else 0.0, VARIANTS[point.raw_type])
    node_id = ua.NodeId.from_string(f"ns={index};{identifier}")
    name = ua.QualifiedName(identifier[2:], ua.UInt16(index))
    return await server.nodes.objects.add_variable(node_id, name, first)


async def _followed(instrument: Instrument, variables: Variables, clock: Clock) -> None:
    while True:
        await clock.sleep_until(clock.now().mono_ns + PERIOD_NS)
        await _follow(instrument, variables, clock)


async def _follow(instrument: Instrument, variables: Variables, clock: Clock) -> None:
    at_ns = clock.now().utc_ns
    if instrument.plant.is_silent(at_ns):
        return
    indication = instrument.plant.indicated(at_ns)
    values = instrument.values(indication, at_ns)
    source = datetime.fromtimestamp(at_ns / NS_PER_S, UTC)
    for name, (point, node) in variables.items():
        has_failed = instrument.condition(name, indication).has_failed
        await node.write_value(
            ua.DataValue(
                Value=ua.Variant(_typed(point, values[name]), VARIANTS[point.raw_type]),
                StatusCode=ua.StatusCode(ua.UInt32(BAD_SENSOR_FAILURE if has_failed else 0)),
                SourceTimestamp=source,  # type: ignore[arg-type]  # a datetime, in spite of its types
            )
        )


def _typed(point: OpcuaPoint, value: float) -> bool | int | float:
    if point.raw_type == "bool":
        return bool(value)
    number = unscaled(point, value)
    return float(number) if point.raw_type.startswith("float") else round(number)
