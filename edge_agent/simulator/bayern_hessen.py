"""The plant's gas analyzers over Bayern-Hessen: docs/profiles.md, table 7, from the profile.

Each answers the data query at a TCP port of its own, as instrument 1, with the gas ids 1, 2, ...
While the scenario lets the device be silent, nothing is answered.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from edge_agent.clock import Clock
from edge_agent.config.profile import Profile
from edge_agent.config.protocols.bayern_hessen_profile import BayernHessenProfile
from edge_agent.errors import ExitCode, OperatorError
from edge_agent.simulator.encoding import status_word
from edge_agent.simulator.plant import Indication, Plant
from edge_agent.simulator.shipped import shipped

PROFILE: Final = "emissionwatch/simulated-bh"
ADDRESS: Final = 1
SERIAL_NUMBER: Final = "000001"
STX: Final = 0x02
ETX: Final = 0x03
BCC_DIGITS: Final = 2


@asynccontextmanager
async def bayern_hessen(
    plants: Sequence[Plant], *, host: str, port: int, clock: Clock
) -> AsyncIterator[tuple[int, ...]]:
    """Be the analyzers of `stack-1`, `stack-2`, ... on ports that follow, until the block ends.

    Yields:
        The ports.

    Raises:
        OperatorError: a port is in use.

    """
    profile = shipped(PROFILE)
    async with AsyncExitStack() as stack:
        ports = []
        for index, plant in enumerate(plants):
            one = port + index if port else 0
            ports.append(
                await stack.enter_async_context(
                    serving(plant, profile, host=host, port=one, clock=clock)
                )
            )
        yield tuple(ports)


@asynccontextmanager
async def serving(
    plant: Plant, profile: Profile, *, host: str, port: int, clock: Clock
) -> AsyncIterator[int]:
    """Run one analyzer; yields its port.

    Raises:
        OperatorError: the port is in use.

    """
    if not isinstance(profile, BayernHessenProfile):
        raise TypeError(f"{profile.id} is no profile of a Bayern-Hessen instrument")
    writers: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        try:
            while True:
                text = (await reader.readuntil(bytes([ETX])))[1:-1]
                await reader.readexactly(BCC_DIGITS)
                at_ns = clock.now().utc_ns
                if text == f"DA{ADDRESS:03d}".encode() and not plant.is_silent(at_ns):
                    writer.write(frame(answer(profile, plant.indicated(at_ns))))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writers.discard(writer)
            writer.close()

    try:
        server = await asyncio.start_server(serve, host, port)
    except OSError as error:
        raise OperatorError(
            f"port {port}: {error.strerror or error}. Choose another with --port",
            exit_code=ExitCode.UNAVAILABLE,
        ) from error
    async with server:
        yield server.sockets[0].getsockname()[1]
        for writer in tuple(writers):
            writer.close()


def answer(profile: BayernHessenProfile, indication: Indication) -> str:
    """Return what an analyzer says of all its values, between STX and ETX."""
    points = sorted(profile.points.values(), key=lambda point: point.value)
    said = [f"MD{len(points):02d}"]
    for point in points:
        digits, _, exponent = f"{indication.values.get(point.parameter or '', 0.0):+.3e}".partition(
            "e"
        )
        status = (
            0 if point.status is None else status_word(profile.status[point.status], indication)
        )
        said.append(
            f" {ADDRESS:03d} {digits.replace('.', '')}{int(exponent):+03d} "
            f"{status >> 8:02X} {status & 0xFF:02X} {point.value:03d} {SERIAL_NUMBER}"
        )
    return "".join(said) + " "


def frame(text: str) -> bytes:
    """Return a text as it goes over the line."""
    octets = bytes([STX, *text.encode(), ETX])
    check = 0
    for octet in octets:
        check ^= octet
    return octets + f"{check:02X}".encode()
