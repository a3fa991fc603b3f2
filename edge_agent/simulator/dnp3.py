"""The plant's analyzers as DNP3 outstations, written from their profiles.

The points follow the plant twice a second; a value that has moved a hundred steps since its last
event, and every change of flags or state, is an event with its time. A failure of the analyzer
takes what it measures off line. While the scenario lets the device be silent, it says nothing.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from edge_agent.clock import NS_PER_S, Clock
from edge_agent.config.protocols.dnp3_profile import Dnp3Point, Dnp3Profile
from edge_agent.simulator.dnp3_outstation import ONLINE, Outstation, State
from edge_agent.simulator.dnp3_server import Server, listening
from edge_agent.simulator.instrument import Instrument, unscaled
from edge_agent.simulator.ports import on_ports

PERIOD_NS: Final = NS_PER_S // 2
NS_PER_MS: Final = 1_000_000
# Steps of its resolution that a value moves before it is worth an event.
DEADBAND: Final = 100


@asynccontextmanager
async def serving(
    instrument: Instrument, *, host: str, port: int, clock: Clock
) -> AsyncIterator[int]:
    """Run the outstation of one instrument; yields its port.

    Args:
        instrument: of a profile of DNP3.
        host: address to listen on.
        port: to listen on.
        clock: gives pace and the times of events.

    """
    outstation = Outstation()
    listener = listening({instrument.number: outstation}, host=host, port=port, clock=clock)
    follow(instrument, outstation, clock.now().utc_ns)
    async with listener as (own_port, server), asyncio.TaskGroup() as group:
        following = group.create_task(_followed(instrument, outstation, server, clock))
        try:
            yield own_port
        finally:
            following.cancel()


async def _followed(
    instrument: Instrument, outstation: Outstation, server: Server, clock: Clock
) -> None:
    while True:
        await clock.sleep_until(clock.now().mono_ns + PERIOD_NS)
        at_ns = clock.now().utc_ns
        server.is_silent = instrument.plant.is_silent(at_ns)
        if not server.is_silent:
            follow(instrument, outstation, at_ns)


def follow(instrument: Instrument, outstation: Outstation, at_ns: int) -> None:
    """Let an outstation hold what an instrument shows at a time.

    Raises:
        TypeError: the instrument does not speak DNP3.

    """
    profile = instrument.profile
    if not isinstance(profile, Dnp3Profile):
        raise TypeError(f"{profile.id} is no profile of a DNP3 outstation")
    indication = instrument.plant.indicated(at_ns)
    values = instrument.values(indication, at_ns)
    for name, point in profile.points.items():
        state = State(
            kind=point.object,
            index=point.index,
            raw_type=point.raw_type,
            value=float(unscaled(point, values[name])),
            flags=0 if instrument.condition(name, indication).has_failed else ONLINE,
            at_ms=at_ns // NS_PER_MS,
        )
        outstation.hold(state, is_event=_is_event(outstation, state, point))


def _is_event(outstation: Outstation, state: State, point: Dnp3Point) -> bool:
    """Return whether a state is worth an event; the first of a point is none."""
    key = state.kind, state.index
    if key not in outstation.points:
        outstation.told[key] = state
        return False
    told = outstation.told[key]
    step = float(point.resolution / abs(point.scale)) * (
        1 if point.raw_type == "bool" else DEADBAND
    )
    is_event = state.flags != told.flags or abs(state.value - told.value) >= step
    if is_event:
        outstation.told[key] = state
    return is_event


dnp3 = partial(on_ports, serving)
"""Be outstations of one address on ports that follow, until the block ends; see `on_ports`."""
