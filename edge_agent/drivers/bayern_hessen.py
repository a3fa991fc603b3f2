"""Bayern-Hessen (Gesytec) over TCP and serial lines: one question, and all values of an instrument.

No answer bears the number of its question, and every question to an instrument is the same. So
after anything that went wrong the line is emptied, the first answer after that only shows that the
instrument answers in time again, and the line is emptied once more: whatever was late has come
before. There is one command here, DA, which reads.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import numpy as np

from edge_agent.clock import Clock
from edge_agent.config.device import Device, Endpoint
from edge_agent.config.protocols.bayern_hessen import BayernHessenSpeech
from edge_agent.drivers.base import (
    Connection,
    DeviceRefusedError,
    ImpossibleAnswerError,
    LinkClosedError,
    LinkLostError,
)
from edge_agent.drivers.bayern_hessen_frames import Reported, answer_in, query, reported
from edge_agent.drivers.bayern_hessen_values import words_of
from edge_agent.drivers.octets import Octets
from edge_agent.wire.readings import Scan

# A line that babbles on is given up after so many times the time of an answer.
EMPTYING_TIMES: Final = 5


@asynccontextmanager
async def connect(devices: Sequence[Device], clock: Clock) -> AsyncIterator[Connection]:
    """Open the line that the instruments share, and close it at the end.

    Raises:
        LinkClosedError: it could not be opened within the longest timeout of the devices.

    """
    endpoint, timeout_s = devices[0].endpoint, max(device.timeout_s for device in devices)
    line = Line(endpoint, timeout_s=timeout_s)
    try:
        await line.open()
        yield Connection(drivers=[Instrument(device, line, clock) for device in devices])
    finally:
        line.close()


class Line:
    """One line with several instruments, one exchange at a time."""

    def __init__(self, endpoint: Endpoint, *, timeout_s: float) -> None:
        self._endpoint = endpoint
        self._timeout_s = timeout_s
        self._octets = Octets(endpoint)
        # Instruments that failed, and how long they had to answer then.
        self._suspects: dict[int, float] = {}
        self._is_lost = False

    async def open(self) -> None:
        """Open the line; `Octets.open` says how it fails."""
        await self._octets.open(self._timeout_s)

    def close(self) -> None:
        """Close the line, whatever its state."""
        self._octets.close()

    async def ask(self, address: int, timeout_s: float) -> tuple[Reported, ...]:
        """Return the values of an instrument.

        Raises:
            LinkLostError: one of its kinds; LinkClosedError: the line is of no more use.

        """
        if self._is_lost:
            raise LinkClosedError(f"{self._endpoint}: the connection is closed")
        try:
            if address in self._suspects:
                await self._resynchronise(address, timeout_s)
            return await self._exchange(address, timeout_s)
        except (asyncio.CancelledError, LinkClosedError):
            self._is_lost = True
            raise
        except LinkLostError:
            self._suspects[address] = timeout_s
            raise

    async def _exchange(self, address: int, timeout_s: float) -> tuple[Reported, ...]:
        """Ask, and hear until the instrument has answered; what others say late is passed over."""
        await self._octets.discard()
        self._octets.write(query(address))
        received, heard = b"", ""
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    received += await self._octets.read()
                    while (found := answer_in(received)) is not None:
                        heard, received = found
                        values = reported(heard)
                        if not values or values[0].instrument == address:
                            return values
        except TimeoutError as error:
            said = heard or received.decode("ascii", "replace")
            if said:
                wrong = f"what came within {timeout_s:g} s is no answer of its: {said[:24]!r}"
                raise ImpossibleAnswerError(f"instrument {address:03d}: {wrong}") from error
            raise LinkLostError(
                f"instrument {address:03d}: no answer within {timeout_s:g} s"
            ) from error
        except ValueError as error:
            raise ImpossibleAnswerError(f"instrument {address:03d}: {error}") from error

    async def _resynchronise(self, address: int, timeout_s: float) -> None:
        """Return when the instrument answers and nothing is under way any more.

        Raises:
            LinkLostError: one of its kinds: it does not, and is asked again at the next poll.

        """
        if self._endpoint.line is None:
            # A new connection has no old answers, unless a device server keeps them.
            self._octets.close()
            await self._octets.open(timeout_s)
        quiet_s = self._suspects[address]
        await self._octets.emptied(quiet_s, EMPTYING_TIMES * quiet_s)
        await self._exchange(address, timeout_s)
        await self._octets.emptied(quiet_s, EMPTYING_TIMES * quiet_s)
        del self._suspects[address]


class Instrument:
    """One instrument of a line."""

    def __init__(self, device: Device, line: Line, clock: Clock) -> None:
        self._device = device
        self._line = line
        self._clock = clock
        self._speech = _speech(device)
        self._channel = np.array([point.channel for point in device.points], np.uint32)
        self._channel.flags.writeable = False
        self._places = [point.place for point in device.points]

    async def read(self) -> Scan:
        """Return the next scan: every value with its status and failure byte.

        Raises:
            LinkLostError: one of its kinds.
            DeviceRefusedError: the instrument reports another number of values than its profile
                knows, so that nobody can say which is which.

        """
        speech, device = self._speech, self._device
        values = await self._line.ask(speech.address, device.timeout_s)
        arrival = self._clock.now()
        if speech.values not in (None, len(values)):
            raise DeviceRefusedError(
                f"instrument {speech.address:03d} reports {len(values)} values, its profile knows "
                f"{speech.values}: write bayern_hessen.gas_ids, or set the instrument"
            )
        raw, status, transport = words_of(self._places, values)
        return Scan(
            device=device.name,
            at_ns=arrival.utc_ns,
            mono_ns=arrival.mono_ns,
            channel=self._channel,
            raw=raw,
            status=status,
            transport=transport,
        )


def _speech(device: Device) -> BayernHessenSpeech:
    if not isinstance(device.speech, BayernHessenSpeech):
        raise TypeError(f"{device.name} does not speak Bayern-Hessen")
    return device.speech
