"""What a protocol must offer, and the ways in which a read fails.

A driver has one method. It never sleeps, retries, logs, judges or stores, and it cannot write to a
device: pace, back-off and reconnecting live once, in the poller. Devices that speak unasked are
heard on their connection; what they said may be acknowledged once it is durable, and not before.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import ClassVar, Protocol, TypeAlias

from edge_agent.clock import Clock, Instant
from edge_agent.config.device import Device
from edge_agent.drivers.gaps import MissReason
from edge_agent.wire.events import Event
from edge_agent.wire.readings import Scan


class Driver(Protocol):
    """One device on an open connection."""

    async def read(self) -> Scan | None:
        """Return the next scan of the device; None if it speaks for itself and has done so.

        Raises:
            LinkLostError: no usable answer this time, or one of its kinds; ask again later.
            DeviceRefusedError: the device answers, and refuses everything it was asked.

        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """Samples that a device took and that never came here.

    Attributes:
        channels: whose they were, rising.
        from_ns: UTC of the last sample before them, nanoseconds.
        to_ns: UTC of the first one after them, nanoseconds.
        count: how many; 0 where nobody can say.
        detail: what the technician should know of its cause.

    """

    channels: tuple[int, ...]
    from_ns: int
    to_ns: int
    count: int
    detail: str

    def event(self, now: Instant) -> Event:
        """Return the gap that it is (docs/wire-format.md section 10), told now."""
        return Event(
            type="gap",
            at_ns=now.utc_ns,
            mono_ns=now.mono_ns,
            fields={
                "state": "closed",
                "channels": list(self.channels),
                "from_ns": self.from_ns,
                "to_ns": self.to_ns,
                "missed": self.count,
                "reason": MissReason.SAMPLES_LOST.value,
                "detail": self.detail,
            },
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One message or event that a device sent unasked: stored whole, and once.

    Attributes:
        scans: what it says, in order of time.
        losses: what is known to be missing before it.
        mark: names it for ever: the same bytes when it is sent once more, also to an agent that
            was started anew. Empty: it cannot come twice.

    """

    scans: tuple[Scan, ...]
    losses: tuple[Loss, ...] = ()
    mark: bytes = b""
    is_new: bool = False


# Waits for deliveries until a CLOCK_BOOTTIME, nanoseconds, and returns them, or none; raises what
# `Driver.read` raises. The next call, of this or of a `read` on the same connection, says that all
# of them are durable: they may be acknowledged.
# A cancelled call loses nothing that the device will not send again.
Listen: TypeAlias = Callable[[int], Awaitable[Sequence[Delivery]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """An open endpoint.

    Attributes:
        drivers: one per device, in the order in which the devices were given.
        listen: hears the devices that speak unasked; None where they only answer.
        remarks: in what the other side does less than it was asked for; told once.

    """

    drivers: Sequence[Driver]
    listen: Listen | None = None
    remarks: Sequence[str] = ()


# Takes the devices of one endpoint and a clock, and opens the connection; only one `read` or
# `listen` runs on it at a time. Raises LinkClosedError when the endpoint cannot be reached.
Connect: TypeAlias = Callable[[Sequence[Device], Clock], AbstractAsyncContextManager[Connection]]


class LinkLostError(Exception):
    """No answer within the device's time: ask again at the next poll."""

    reason: ClassVar[MissReason] = MissReason.NO_ANSWER


class LinkClosedError(LinkLostError):
    """The connection is gone: nothing can be asked before it is opened again."""

    reason = MissReason.LINK_CLOSED


class ImpossibleAnswerError(LinkLostError):
    """Something answered, but it does not fit the request."""

    reason = MissReason.IMPOSSIBLE_ANSWER


class DeviceBusyError(LinkLostError):
    """The device says that it is busy: ask again at the next poll."""

    reason = MissReason.BUSY


class DeviceFailureError(LinkLostError):
    """The device says that it failed while it carried the request out."""

    reason = MissReason.DEVICE_FAILURE


class DeviceRefusedError(Exception):
    """The device refuses everything it is asked: a matter for a technician."""

    reason: ClassVar[MissReason] = MissReason.REFUSED
