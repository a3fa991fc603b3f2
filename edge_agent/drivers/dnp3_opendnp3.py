"""Present values of outstations by pydnp3, where a build of it can be imported.

A thin adapter, tried against a stub of its interface only: pydnp3 0.1.0 cannot be installed on the
Python versions that we support. opendnp3 confirms events before anybody has stored them, so none
are asked for; it is told not to write to the outstation either. Its callbacks come on threads of
its own, and cross to the event loop in order.
"""

import asyncio
import re
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Final

import numpy as np

from edge_agent.clock import NS_PER_S, Clock
from edge_agent.config.device import Device
from edge_agent.drivers.base import Connection, LinkClosedError, LinkLostError
from edge_agent.drivers.dnp3_layouts import BOOL, FLOAT32, FLOAT64, LAYOUTS, WHOLE, Layout
from edge_agent.drivers.dnp3_objects import Values
from edge_agent.drivers.dnp3_points import Points, speech_of
from edge_agent.wire.readings import Scan

LIBRARY: Final = "pydnp3"
# What a farewell may take; then its threads are left to themselves.
FAREWELL_S: Final = 2.0
# The classes of pydnp3 that hold values, and what visits them.
COLLECTIONS: Final = (
    *("Binary", "DoubleBitBinary", "Counter", "FrozenCounter"),
    *("Analog", "BinaryOutputStatus", "AnalogOutputStatus"),
)


@asynccontextmanager
async def connect(devices: Sequence[Device], clock: Clock) -> AsyncIterator[Connection]:
    """Open the connection to these devices, and close it at the end.

    Raises:
        LinkClosedError: pydnp3 cannot be imported.

    """
    bound = Bound()
    endpoint = devices[0].endpoint
    manager = bound.asiodnp3.DNP3Manager(1, bound.made("openpal", "ILogHandler", Log=_ignored))
    try:
        channel = manager.AddTCPClient(
            str(endpoint),
            0,
            bound.asiopal.ChannelRetry().Default(),
            endpoint.host,
            "0.0.0.0",  # noqa: S104 - our end, chosen by the kernel
            endpoint.port,
            bound.made("asiodnp3", "IChannelListener", OnStateChange=_ignored),
        )
        drivers = [Outstation(device, clock, bound, channel) for device in devices]
        yield Connection(drivers=drivers)
    finally:
        try:
            async with asyncio.timeout(FAREWELL_S):
                await asyncio.to_thread(manager.Shutdown)
        except TimeoutError:
            # pydnp3 0.1.0 can wait for its own threads for ever.
            pass


class Bound:
    """The modules of pydnp3."""

    def __init__(self) -> None:
        if find_spec(LIBRARY) is None:
            raise LinkClosedError(
                "pydnp3 cannot be imported: install a build of your own, or remove dnp3.backend"
            )
        self.opendnp3, self.openpal, self.asiopal, self.asiodnp3 = (
            import_module(f"{LIBRARY}.{name}")
            for name in ("opendnp3", "openpal", "asiopal", "asiodnp3")
        )

    def made(self, module: str, interface: str, **methods: object) -> object:
        """Return an object of an interface with these methods."""
        base = getattr(getattr(self, module), interface)
        return type(interface[1:], (base,), methods)()


class Outstation:
    """One device, as the library reads it."""

    def __init__(self, device: Device, clock: Clock, bound: Bound, channel: ModuleType) -> None:
        self._device = device
        self._clock = clock
        self._opendnp3 = bound.opendnp3
        self._points = Points(device)
        self._loop = asyncio.get_running_loop()
        self._values: list[Values] = []
        self._result = ""
        self._has_ended = asyncio.Event()
        self._is_over = False
        self._objects = (
            bound.made(
                "opendnp3", "ISOEHandler", Process=self._process, Start=_ignored, End=_ignored
            ),
            bound.made("opendnp3", "IMasterApplication", OnTaskComplete=self._completed),
        )
        self._master = channel.AddMaster(device.name, *self._objects, self._settings(bound))
        self._master.Enable()

    def _settings(self, bound: Bound) -> object:
        """Return how the master is to behave: it asks when it is told to, and writes nothing."""
        speech, nothing = speech_of(self._device), bound.opendnp3.ClassField(0)
        settings = bound.asiodnp3.MasterStackConfig()
        timeout_ms = round(self._device.timeout_s * 1000)
        settings.master.responseTimeout = bound.openpal.TimeDuration().Milliseconds(timeout_ms)
        settings.master.disableUnsolOnStartup = True
        settings.master.ignoreRestartIIN = True
        settings.master.integrityOnEventOverflowIIN = False
        settings.master.startupIntegrityClassMask = nothing
        settings.master.unsolClassMask = nothing
        settings.master.eventScanOnEventsAvailableClassMask = nothing
        settings.link.LocalAddr = speech.master_address
        settings.link.RemoteAddr = speech.address
        return settings

    async def read(self) -> Scan:
        """Return the present values of all points.

        Raises:
            LinkClosedError: the last question was not answered in time: ask on a new connection.
            LinkLostError: the library says that the question failed.

        """
        if self._is_over:
            raise LinkClosedError(f"{self._device.endpoint}: a question went unanswered")
        self._values = []
        self._has_ended.clear()
        timeout_s = self._device.timeout_s
        until_ns = self._clock.now().mono_ns + round(timeout_s * NS_PER_S)
        self._master.ScanClasses(self._opendnp3.ClassField(self._opendnp3.ClassField.CLASS_0))
        self._is_over = True
        await self._clock.wait(self._has_ended, until_ns)
        if not self._has_ended.is_set():
            raise LinkClosedError(f"{self._device.endpoint}: no answer within {timeout_s:g} s")
        self._is_over = False
        if self._result != "SUCCESS":
            raise LinkLostError(f"{self._device.endpoint}: {self._result}")
        arrival = self._clock.now()
        raw, status, transport = self._points.present(self._values, 0)
        return Scan(
            device=self._device.name,
            at_ns=arrival.utc_ns,
            mono_ns=arrival.mono_ns,
            channel=self._points.channel,
            raw=raw,
            status=status,
            transport=transport,
        )

    # What follows is called on threads of the library; its names and parameters are theirs.

    def _process(self, info: ModuleType, values: object) -> None:
        layout = layout_of(str(info.gv))
        name = type(values).__name__.removeprefix("ICollectionIndexed")
        if layout is None or layout.kind is None or layout.is_event or name not in COLLECTIONS:
            return
        rows: list[tuple[int, float, int]] = []

        def visit(_: object, one: ModuleType) -> None:
            rows.append((int(one.index), float(one.value.value), int(one.value.flags.value)))

        base = getattr(self._opendnp3, f"IVisitorIndexed{name}")
        getattr(values, "Foreach")(type("Visitor", (base,), {"OnValue": visit})())  # noqa: B009 - it is theirs
        if rows:
            self._loop.call_soon_threadsafe(self._values.append, values_of(layout, rows))

    def _completed(self, info: ModuleType) -> None:
        if str(info.type).endswith("USER_TASK"):
            self._loop.call_soon_threadsafe(self._end, str(info.result).rpartition(".")[2])

    def _end(self, result: str) -> None:
        self._result = result
        self._has_ended.set()


def layout_of(name: str) -> Layout | None:
    """Return the layout that a name such as GroupVariation.Group30Var5 stands for."""
    found = re.search(r"Group(\d+)Var(\d+)$", name)
    return None if found is None else LAYOUTS.get((int(found[1]), int(found[2])))


def values_of(layout: Layout, rows: Sequence[tuple[int, float, int]]) -> Values:
    """Return values as the objects of a layout held them; index, value and flags of each.

    Raises:
        ValueError: the layout is of no point.

    """
    if layout.kind is None:
        raise ValueError(f"{layout} is of no point")
    raw_type = {"f4": FLOAT32, "f8": FLOAT64}.get(layout.code, WHOLE)
    if layout.code == "state" and not layout.kind.startswith("double"):
        raw_type = BOOL
    has_flags = layout.has_flags
    return Values(
        kind=layout.kind,
        is_event=False,
        raw_type=raw_type,
        index=np.array([index for index, _, _ in rows], np.int64),
        raw=np.array([_raw(raw_type, value) for _, value, _ in rows], np.int64),
        flags=np.array([flags for *_, flags in rows], np.uint32) if has_flags else None,
    )


def _raw(raw_type: str, value: float) -> int:
    if raw_type == FLOAT32:
        return int(struct.unpack("<I", struct.pack("<f", value))[0])
    if raw_type == FLOAT64:
        return int(struct.unpack("<q", struct.pack("<d", value))[0])
    return int(value)


def _ignored(*_: object) -> None:
    """Take note of nothing."""
