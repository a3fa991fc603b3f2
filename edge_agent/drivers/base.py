"""What a protocol must offer, and the ways in which a read fails.

A driver has one method. It never sleeps, retries, logs, judges or stores, and it cannot write to a
device: pace, back-off and reconnecting live once, in the poller.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import ClassVar, Protocol, TypeAlias

from edge_agent.clock import Clock
from edge_agent.config.device import Device
from edge_agent.drivers.gaps import MissReason
from edge_agent.wire.readings import Scan


class Driver(Protocol):
    """One device on an open connection."""

    async def read(self) -> Scan:
        """Return the next scan of the device.

        Raises:
            LinkLostError: no usable answer this time, or one of its kinds; ask again later.
            DeviceRefusedError: the device answers, and refuses everything it was asked.

        """
        ...


# Takes the devices of one endpoint and a clock; opens the connection and gives one driver per
# device, in the same order. Raises LinkClosedError when the endpoint cannot be reached.
Connect: TypeAlias = Callable[
    [Sequence[Device], Clock], AbstractAsyncContextManager[Sequence[Driver]]
]


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
