"""Looks at one device through the driver that the agent reads it with, beside a running agent.

One connection, some scans, and the end of it: nothing is stored, and nothing is acknowledged that
the agent would miss.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from edge_agent.clock import NS_PER_S, Clock
from edge_agent.config.device import Device
from edge_agent.drivers import connector
from edge_agent.drivers.base import (
    Connection,
    DeviceRefusedError,
    Driver,
    LinkClosedError,
    LinkLostError,
)
from edge_agent.errors import ExitCode, OperatorError
from edge_agent.wire.readings import Scan
from edge_agent.wire.vocabulary import NO_VALUE

# A device that speaks for itself is given so many of its periods to be heard.
PATIENCE: Final = 5
# Between two scans of one look: analyzers have new values hardly more often.
PAUSE_NS: Final = NS_PER_S // 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a device said, and what went wrong meanwhile.

    Attributes:
        scans: in order; none where the device refused everything or said nothing.
        is_refused: whether the device answers, and refuses what it was asked.
        faults: why scans are missing, once each.

    """

    scans: tuple[Scan, ...]
    is_refused: bool
    faults: tuple[str, ...]


async def looked(device: Device, *, count: int, clock: Clock) -> Look:
    """Return up to `count` scans of a device.

    Raises:
        OperatorError: there is no connection to it.

    """
    visited = replace(device, speech=device.speech.visiting())
    try:
        async with connector(device.protocol)([visited], clock) as connection:
            return await _scans(connection, visited, count, clock)
    except LinkClosedError as error:
        raise OperatorError(
            f"{device.name}: {error}. Check address, port and cables, and whether the device takes "
            "another connection beside that of the agent",
            exit_code=ExitCode.UNAVAILABLE,
        ) from error


def widened(scans: Sequence[Scan], device: Device) -> tuple[Scan, ...]:
    """Return scans of every channel: what one does not hold is as the scan before it had it.

    A channel that nothing was heard of yet has no value.
    """
    numbers = np.array([point.channel for point in device.points], np.uint32)
    raw = np.zeros(len(numbers), np.int64)
    status = np.zeros(len(numbers), np.uint32)
    transport = np.full(len(numbers), NO_VALUE, np.uint32)
    found: list[Scan] = []
    for scan in scans:
        places = np.searchsorted(numbers, scan.channel)
        raw, status, transport = raw.copy(), status.copy(), transport.copy()
        raw[places], status[places], transport[places] = scan.raw, scan.status, scan.transport
        whole = replace(scan, channel=numbers, raw=raw, status=status, transport=transport)
        found.append(whole)
    return tuple(found)


async def _scans(connection: Connection, device: Device, count: int, clock: Clock) -> Look:
    scans: list[Scan] = []
    faults: dict[str, None] = {}
    for index in range(count if connection.listen is None else max(count, PATIENCE)):
        if index >= count and _is_whole(scans, device):
            break
        if index:
            await _pause(connection, device, scans, clock)
        try:
            scans += await _asked(connection.drivers[0])
        except LinkClosedError:
            if not scans:
                raise
            break
        except LinkLostError as error:
            faults[str(error)] = None
        except DeviceRefusedError as error:
            return Look(scans=tuple(scans), is_refused=True, faults=(*faults, str(error)))
    # What a device that speaks for itself had not said yet is no fault once it has.
    told = () if connection.listen is not None and _is_whole(scans, device) else tuple(faults)
    return Look(scans=tuple(scans), is_refused=False, faults=told)


def _is_whole(scans: Sequence[Scan], device: Device) -> bool:
    """Return whether something was heard of every channel."""
    heard = {number for scan in scans for number in scan.channel.tolist()}
    return len(heard) == len(device.points)


async def _asked(driver: Driver) -> Sequence[Scan]:
    scan = await driver.read()
    return () if scan is None else (scan,)


async def _pause(connection: Connection, device: Device, scans: list[Scan], clock: Clock) -> None:
    """Let a moment pass; a device that speaks for itself gets its period, and is heard."""
    now_ns = clock.now().mono_ns
    if connection.listen is None:
        await clock.sleep_until(now_ns + PAUSE_NS)
        return
    until_ns = now_ns + round(device.period_s * NS_PER_S)
    for delivery in await connection.listen(until_ns):
        scans += [scan for scan in delivery.scans if scan.device == device.name]
