"""The plant's analyzers over Bayern-Hessen, written from their profiles.

Each answers the data query at a TCP port of its own, with the gas ids 1, 2, ... unless the file of
a device says others. Values of the answer that no point is of are 0. While the scenario lets the
device be silent, nothing is answered.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from edge_agent.clock import Clock
from edge_agent.config.protocols.bayern_hessen_profile import BayernHessenProfile
from edge_agent.simulator.instrument import Instrument, unscaled
from edge_agent.simulator.ports import on_ports
from edge_agent.simulator.status import status_word

SERIAL_NUMBER: Final = "000001"
STX: Final = 0x02
ETX: Final = 0x03
BCC_DIGITS: Final = 2


@asynccontextmanager
async def serving(
    instrument: Instrument, *, host: str, port: int, clock: Clock
) -> AsyncIterator[int]:
    """Run one instrument; yields its port."""
    profile = instrument.profile
    if not isinstance(profile, BayernHessenProfile):
        raise TypeError(f"{profile.id} is no profile of a Bayern-Hessen instrument")
    asked = f"DA{instrument.number:03d}".encode()
    writers: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        try:
            while True:
                text = (await reader.readuntil(bytes([ETX])))[1:-1]
                await reader.readexactly(BCC_DIGITS)
                at_ns = clock.now().utc_ns
                if text == asked and not instrument.plant.is_silent(at_ns):
                    writer.write(frame(answer(instrument, profile, at_ns)))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writers.discard(writer)
            writer.close()

    server = await asyncio.start_server(serve, host, port)
    async with server:
        yield server.sockets[0].getsockname()[1]
        for writer in tuple(writers):
            writer.close()


def answer(instrument: Instrument, profile: BayernHessenProfile, at_ns: int) -> str:
    """Return what an instrument says of all its values, between STX and ETX."""
    indication = instrument.plant.indicated(at_ns)
    values = instrument.values(indication, at_ns)
    names = {point.value: name for name, point in profile.points.items()}
    said = [f"MD{profile.bayern_hessen.values:02d}"]
    for number in range(1, profile.bayern_hessen.values + 1):
        name = names.get(number)
        gas_id, value, status = number, 0.0, 0
        if name is not None:
            point = profile.points[name]
            gas_id = _gas_ids(instrument).get(name, number)
            value = float(unscaled(point, values[name]))
            if point.status is not None:
                condition = instrument.condition(name, indication)
                status = status_word(profile.status[point.status], condition)
        digits, _, exponent = f"{value:+.3e}".partition("e")
        said.append(
            f" {instrument.number:03d} {digits.replace('.', '')}{int(exponent):+03d} "
            f"{status >> 8:02X} {status & 0xFF:02X} {gas_id:03d} {SERIAL_NUMBER}"
        )
    return "".join(said) + " "


def _gas_ids(instrument: Instrument) -> Mapping[str, int]:
    like = instrument.site.like
    own = None if like is None else like.bayern_hessen
    return {} if own is None else own.gas_ids


def frame(text: str) -> bytes:
    """Return a text as it goes over the line."""
    octets = bytes([STX, *text.encode(), ETX])
    check = 0
    for octet in octets:
        check ^= octet
    return octets + f"{check:02X}".encode()


bayern_hessen = partial(on_ports, serving)
"""Be instruments on ports that follow, until the block ends; see `on_ports`."""
