"""What a protocol brings to the driver conformance suite."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from edge_agent.config.device import Device
from edge_agent.drivers.base import Connect, Driver
from edge_agent.wire.readings import Scan


class Peer(Protocol):
    """A device that misbehaves until it is healed."""

    @property
    def port(self) -> int:
        """Where it listens."""
        ...

    @property
    def asked(self) -> asyncio.Event:
        """Set from its first request on."""
        ...

    @property
    def asked_count(self) -> int:
        """How many requests it has seen."""
        ...

    def heal(self) -> None:
        """Behave from now on."""
        ...


class Subject(Protocol):
    """One protocol: how its driver connects, and what its devices hold."""

    @property
    def connect(self) -> Connect:
        """The driver under test."""
        ...

    @property
    def faults(self) -> Mapping[str, type[Exception]]:
        """What a device may do wrong, and exactly what the driver says to it."""
        ...

    def device(self, port: int, *, unit_id: int = 1, timeout_s: float = 5) -> Device:
        """Return the configuration of a device on loopback."""
        ...

    def held(self, device: Device) -> tuple[list[int], list[int]]:
        """Return raw and status of every point as the servers below hold them."""
        ...

    def number(self, scan: Scan) -> int:
        """Return the number of the request that a peer of `count` answered with a scan."""
        ...

    def serve(
        self, port: int = 0, unit_ids: Sequence[int] = (1,)
    ) -> AbstractAsyncContextManager[int]:
        """Run somebody else's server; yields its port."""
        ...

    def misbehave(self, fault: str) -> AbstractAsyncContextManager[Peer]:
        """Run a device with a fault."""
        ...

    def count(self, delays_s: Sequence[float]) -> AbstractAsyncContextManager[Peer]:
        """Run a device whose values are the number of the request; answers are late by so much."""
        ...


async def scan_of(driver: Driver) -> Scan:
    """Return the next scan of a device that has to be asked."""
    scan = await driver.read()
    assert scan is not None
    return scan
