"""DNP3: the present values and the events of the outstations behind one connection.

Present values are read (class 0) on the grid of each device, at the time of their arrival. Events
are polled or reported, stored one by one at their own times, and confirmed once they are durable.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from edge_agent.clock import Clock
from edge_agent.config.device import Device
from edge_agent.config.protocols.dnp3 import Backend
from edge_agent.drivers.base import Connection, Delivery, LinkClosedError
from edge_agent.drivers.dnp3_link import Link
from edge_agent.drivers.dnp3_points import speech_of
from edge_agent.drivers.dnp3_station import Station
from edge_agent.wire.readings import Scan


@asynccontextmanager
async def connect(devices: Sequence[Device], clock: Clock) -> AsyncIterator[Connection]:
    """Open the connection to these devices, and close it at the end.

    Args:
        devices: at least one, all of one endpoint; those of one address are one outstation.
        clock: stamps what comes.

    Raises:
        LinkClosedError: it could not be opened within the longest timeout of the devices.

    """
    if speech_of(devices[0]).backend is Backend.PYDNP3:
        # Only here: it is not what we build on.
        from edge_agent.drivers import dnp3_opendnp3  # noqa: PLC0415 - see the line above

        async with dnp3_opendnp3.connect(devices, clock) as connection:
            yield connection
        return
    link = Link(devices[0].endpoint, clock)
    by_address: dict[int, list[Device]] = {}
    for device in devices:
        by_address.setdefault(speech_of(device).address, []).append(device)
    line = Line(link, [Station(link, some, clock) for some in by_address.values()], clock)
    stations = dict(zip(by_address, line.stations, strict=True))
    try:
        await link.open(speech_of(devices[0]).tls, max(device.timeout_s for device in devices))
        drivers = [
            Dnp3Device(device, stations[speech_of(device).address], line) for device in devices
        ]
        is_visit = all(speech_of(device).is_visitor for device in devices)
        yield Connection(drivers=drivers, listen=None if is_visit else line.listen)
    finally:
        await link.close()


class Line:
    """The outstations of one connection, one question at a time."""

    def __init__(self, link: Link, stations: Sequence[Station], clock: Clock) -> None:
        self.stations = stations
        self._link = link
        self._clock = clock

    async def listen(self, until_mono_ns: int) -> list[Delivery]:
        """Return events; calling it again, or reading a device, says that they are durable.

        Cancelled, it loses nothing: what came stays, and what was asked is still asked.

        Raises:
            LinkClosedError: the connection is gone, and all that came has been given.

        """
        self.acknowledge()
        while True:
            deliveries = [one for station in self.stations for one in station.take()]
            if deliveries:
                return deliveries
            if self._link.end is not None:
                raise LinkClosedError(f"{self._link}: {self._link.end}")
            if self._clock.now().mono_ns >= until_mono_ns:
                return []
            self._start()
            await self._change(until_mono_ns)

    def acknowledge(self) -> None:
        """Confirm everything that was given: it is durable."""
        for station in self.stations:
            station.acknowledge()

    async def free(self, station: Station) -> None:
        """Return when an outstation can be asked; what comes of others meanwhile is kept."""
        while self._link.end is None:
            is_settled = station.settle()
            others = [one for one in self.stations if one is not station and one.blocks]
            for one in others:
                one.keep()
            if is_settled and not any(one.blocks for one in others):
                return
            await self._change(None)

    def _start(self) -> None:
        """Ask one outstation what is to be asked beside present values, if nobody is asked yet."""
        for station in self.stations:
            if any(one.blocks for one in self.stations):
                return
            station.start()

    async def _change(self, until_mono_ns: int | None) -> None:
        """Wait until something comes, an answer is overdue, or that time."""
        asked = [station.exchange.request for station in self.stations]
        times = [request.deadline_ns for request in asked if request is not None]
        times += [] if until_mono_ns is None else [until_mono_ns]
        self._link.changed.clear()
        await self._clock.wait(self._link.changed, min(times, default=None))
        for station in self.stations:
            station.expire()


class Dnp3Device:
    """One device of an outstation."""

    def __init__(self, device: Device, station: Station, line: Line) -> None:
        self._device = device
        self._station = station
        self._line = line

    async def read(self) -> Scan | None:
        """Return the present values of all points, as `Station.read` does.

        What was delivered before is durable (`Listen`), and is confirmed first.
        """
        self._line.acknowledge()
        await self._line.free(self._station)
        return await self._station.read(self._device)
