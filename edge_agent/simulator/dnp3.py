"""The plant's analyzers as DNP3 outstations: docs/profiles.md, table 8, written from the profile.

The points follow the plant twice a second; a value that has moved a hundred steps since its last
event, and every change of flags or state, is an event with its time. A failure of the analyzer
takes its gases off line. While the scenario lets the device be silent, it says nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from edge_agent.clock import NS_PER_S, Clock
from edge_agent.config.profile import Profile
from edge_agent.config.protocols.dnp3_profile import Dnp3Point, Dnp3Profile
from edge_agent.errors import ExitCode, OperatorError
from edge_agent.simulator.dnp3_outstation import ONLINE, Outstation, State
from edge_agent.simulator.dnp3_server import Server, listening
from edge_agent.simulator.encoding import GASES
from edge_agent.simulator.plant import Indication, Plant
from edge_agent.simulator.shipped import shipped

PROFILE: Final = "emissionwatch/simulated-dnp3"
ADDRESS: Final = 10
PERIOD_NS: Final = NS_PER_S // 2
NS_PER_MS: Final = 1_000_000
# Steps of its resolution that a value moves before it is worth an event.
DEADBAND: Final = 100


@asynccontextmanager
async def dnp3(
    plants: Sequence[Plant], *, host: str, port: int, clock: Clock
) -> AsyncIterator[tuple[int, ...]]:
    """Be the outstations of `stack-1`, `stack-2`, ... on ports that follow, all of address 10.

    Yields:
        The ports.

    Raises:
        OperatorError: a port is in use.

    """
    profile = shipped(PROFILE)
    ports = []
    async with AsyncExitStack() as stack:
        for index, plant in enumerate(plants):
            wanted = port + index if port else 0
            served = serving(plant, profile, host=host, port=wanted, clock=clock)
            try:
                ports.append(await stack.enter_async_context(served))
            except OSError as error:
                raise OperatorError(
                    f"port {wanted}: {error.strerror or error}. Choose another with --port",
                    exit_code=ExitCode.UNAVAILABLE,
                ) from error
        yield tuple(ports)


@asynccontextmanager
async def serving(
    plant: Plant, profile: Profile, *, host: str, port: int, clock: Clock
) -> AsyncIterator[int]:
    """Run the outstation of one stack; yields its port.

    Args:
        plant: what the analyzers measure.
        profile: how they say it; of a DNP3 outstation.
        host: address to listen on.
        port: to listen on.
        clock: gives pace and the times of events.

    """
    if not isinstance(profile, Dnp3Profile):
        raise TypeError(f"{profile.id} is no profile of a DNP3 outstation")
    outstation = Outstation()
    listener = listening({ADDRESS: outstation}, host=host, port=port, clock=clock)
    async with listener as (own_port, server), asyncio.TaskGroup() as group:
        follow(plant, profile, outstation, clock.now().utc_ns)
        following = group.create_task(_followed(plant, profile, outstation, server, clock))
        try:
            yield own_port
        finally:
            following.cancel()


async def _followed(
    plant: Plant, profile: Dnp3Profile, outstation: Outstation, server: Server, clock: Clock
) -> None:
    while True:
        await clock.sleep_until(clock.now().mono_ns + PERIOD_NS)
        at_ns = clock.now().utc_ns
        server.is_silent = plant.is_silent(at_ns)
        if not server.is_silent:
            follow(plant, profile, outstation, at_ns)


def follow(plant: Plant, profile: Dnp3Profile, outstation: Outstation, at_ns: int) -> None:
    """Let an outstation hold what the analyzers of a plant indicate at a time."""
    indication = plant.indicated(at_ns)
    for point in profile.points.values():
        state = _state(point, indication, at_ns)
        outstation.hold(state, is_event=_is_event(outstation, state, point))


def _state(point: Dnp3Point, indication: Indication, at_ns: int) -> State:
    has_failed = indication.has_failed and point.parameter in GASES
    return State(
        kind=point.object,
        index=point.index,
        raw_type=point.raw_type,
        value=indication.values.get(point.parameter or "", 0.0),
        flags=0 if has_failed else ONLINE,
        at_ms=at_ns // NS_PER_MS,
    )


def _is_event(outstation: Outstation, state: State, point: Dnp3Point) -> bool:
    """Return whether a state is worth an event; the first of a point is none."""
    key = state.kind, state.index
    if key not in outstation.points:
        outstation.told[key] = state
        return False
    told = outstation.told[key]
    step = float(point.resolution) * (1 if point.raw_type == "bool" else DEADBAND)
    is_event = state.flags != told.flags or abs(state.value - told.value) >= step
    if is_event:
        outstation.told[key] = state
    return is_event
