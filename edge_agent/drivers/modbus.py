"""Modbus over TCP, RTU over TCP and serial RTU: reads the registers and bits of devices as scans.

What a device refuses is divided until the rest is readable. Nothing here can write to a device.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import numpy as np

from edge_agent.clock import NS_PER_S, Clock
from edge_agent.config.device import Device
from edge_agent.config.protocols.modbus import speech_of
from edge_agent.drivers.base import Connection, DeviceRefusedError
from edge_agent.drivers.modbus_identity import block_of, contradiction
from edge_agent.drivers.modbus_link import Link, RefusedBlockError
from edge_agent.drivers.modbus_rtu import RtuLink
from edge_agent.drivers.registers import Decoder, decoder_of
from edge_agent.wire.readings import Scan

# How long a device's refusal of an address is believed before it is asked again.
REFUSAL_NS: Final = 3600 * NS_PER_S


@asynccontextmanager
async def connect(devices: Sequence[Device], clock: Clock) -> AsyncIterator[Connection]:
    """Open the connection that the devices of one endpoint share, and close it at the end.

    Args:
        devices: at least one, all of one endpoint.
        clock: stamps the scans.

    Raises:
        LinkClosedError: there was no connection within the longest timeout of the devices.

    """
    endpoint, timeout_s = devices[0].endpoint, max(device.timeout_s for device in devices)
    kind = Link if endpoint.scheme == "tcp" else RtuLink
    link = kind(endpoint, timeout_s=timeout_s)
    try:
        await link.open()
        yield Connection(drivers=[ModbusDevice(device, link, clock) for device in devices])
    finally:
        link.close()


class ModbusDevice:
    """One unit on a link; remembers for an hour which addresses it refuses."""

    def __init__(self, device: Device, link: Link, clock: Clock) -> None:
        self._device = device
        self._unit_id = speech_of(device.speech).unit_id
        self._link = link
        self._clock = clock
        self._channel = np.array([point.channel for point in device.points], np.uint32)
        self._channel.flags.writeable = False
        self._max_gap = link.max_gap(self._unit_id)
        self._whole = decoder_of(device, max_gap=self._max_gap)
        # Requests and decoder change together: the decoder has the layout that it belongs to.
        self._decoder = self._whole
        self._refused_mono_ns = 0
        self._is_shrunk = False
        self._refuses_all = False
        self._identified_mono_ns: int | None = None

    async def read(self) -> Scan:
        """Return the next scan; a block that is refused is divided until the rest is readable.

        Raises:
            LinkLostError: one of its kinds; also when only a part of the scan was missing.
            DeviceRefusedError: nothing of what the device has points for may be read, or it is
                not the device that its profile is about.

        """
        await self._identify()
        if self._is_shrunk and self._clock.now().mono_ns - self._refused_mono_ns >= REFUSAL_NS:
            self._start_over()
        self._plan_anew()
        device, link = self._device, self._link
        answers: list[bytes] = []
        while len(answers) < len(requests := self._decoder.layout.requests):
            block = requests[len(answers)].block
            try:
                answers.append(await link.ask(block, self._unit_id, device.timeout_s))
            except RefusedBlockError as refusal:
                self._shrink(len(answers), refusal)
        arrival = self._clock.now()
        self._refuses_all = False
        raw, status = self._decoder.words(answers)
        return Scan(
            device=device.name,
            at_ns=arrival.utc_ns,
            mono_ns=arrival.mono_ns,
            channel=self._channel,
            raw=raw,
            status=status,
            transport=self._decoder.transport,
        )

    async def _identify(self) -> None:
        """Make sure that the device is what it must be: after connecting, and once an hour.

        People change devices, and units of measure at their front panels.
        """
        device, since_ns = self._device, self._identified_mono_ns
        if not device.identity:
            return
        now_ns = self._clock.now().mono_ns
        if since_ns is not None and now_ns - since_ns < REFUSAL_NS:
            return
        self._identified_mono_ns = None
        for check in device.identity:
            try:
                answer = await self._link.ask(block_of(check), self._unit_id, device.timeout_s)
            except RefusedBlockError as refusal:
                raise DeviceRefusedError(f"{check.meaning}: {refusal}") from refusal
            wrong = contradiction(check, answer)
            if wrong is not None:
                raise DeviceRefusedError(wrong)
        self._identified_mono_ns = now_ns

    def _plan_anew(self) -> None:
        """Merge by what was learned of the unit, where that has changed by a fifth."""
        max_gap = self._link.max_gap(self._unit_id)
        if not self._is_shrunk and 5 * abs(max_gap - self._max_gap) > self._max_gap:
            self._max_gap = max_gap
            self._whole = self._decoder = decoder_of(self._device, max_gap=max_gap)

    def _start_over(self) -> None:
        """Believe again that the device answers everything it was configured for."""
        self._decoder = self._whole
        self._is_shrunk = self._refuses_all = False

    def _shrink(self, index: int, refusal: RefusedBlockError) -> None:
        """Go on without what was refused, or with smaller blocks.

        Raises:
            DeviceRefusedError: nothing is left, or nothing was left the last time either.

        """
        if self._refuses_all and not index:
            raise DeviceRefusedError(str(refusal)) from refusal
        if not self._is_shrunk:
            self._is_shrunk = True
            self._refused_mono_ns = self._clock.now().mono_ns
        layout = self._decoder.layout.after_refusal(index, is_divisible=refusal.is_divisible)
        if not layout.requests:
            # Until the hour is over one question is enough to see that nothing has changed.
            self._decoder, self._refuses_all = self._whole, True
            raise DeviceRefusedError(str(refusal)) from refusal
        self._decoder = Decoder(layout)
