"""What a subscription tells of the variables of one device, as scans; and what of it stands. Pure.

A sample is stored at the server's source timestamp where that is believed, otherwise at its
arrival. Between two changes a value stands: that it does is told with what the server said last.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from edge_agent.clock import NS_PER_S, Instant
from edge_agent.config.device import Device
from edge_agent.config.protocols.opcua import SourceTime
from edge_agent.drivers.base import Loss
from edge_agent.drivers.opcua_values import Words, is_overflow, word_of, words_of
from edge_agent.wire.readings import Scan
from edge_agent.wire.vocabulary import BoolArray, Int64Array, QualityClass, Reason, UInt32Array

# An older sample without a time of its own: it is not of the time at which it came.
OLD: Final = int(QualityClass.OUT_OF_SPECIFICATION | Reason.LATE)
NOT_BELIEVED: Final = int(Reason.DEVICE_TIME_NOT_BELIEVED)
LOST: Final = int(Reason.SAMPLES_LOST)


class Samples(NamedTuple):
    """What one message says of a device, in its order; each array of shape (n,).

    `place` is that of the variable among the points of its device, `source_ns` when the value was
    taken; 0: nobody says.
    """

    place: npt.NDArray[np.intp]
    words: Words
    source_ns: Int64Array


class Known:
    """What is known of the variables of one device since it was subscribed to.

    What they did before that is not known: the first word of each says that samples were lost.
    """

    def __init__(self, device: Device, time: SourceTime | None) -> None:
        self._device = device.name
        self._time = time
        self._raw_types = [point.raw_type for point in device.points]
        self._channel = np.array([point.channel for point in device.points], np.uint32)
        count = len(self._channel)
        # Until a variable speaks it has no value.
        words = words_of([word_of(raw_type, None, None, 0) for raw_type in self._raw_types])
        self._raw, self._status, self._transport = words
        self._last_ns = np.zeros(count, np.int64)
        self._is_known = np.zeros(count, np.bool_)
        self._is_refused = np.zeros(count, np.bool_)
        self._has_spoken = np.zeros(count, np.bool_)
        self._is_lossy = np.ones(count, np.bool_)

    @property
    def is_complete(self) -> bool:
        """Whether every variable has a value, or will never have one."""
        return bool((self._is_known | self._is_refused).all())

    @property
    def has_values(self) -> bool:
        """Whether there is something to tell."""
        return bool((self._is_known | self._is_refused).any())

    @property
    def channels(self) -> tuple[int, ...]:
        """The channels of the device, rising."""
        return tuple(self._channel.tolist())

    def refuse(self, place: int, status: int) -> None:
        """Take note that the server does not monitor a variable, by its StatusCode."""
        word = word_of(self._raw_types[place], None, None, status)
        self._raw[place], self._status[place], self._transport[place] = word
        self._is_refused[place] = True
        self._is_lossy[place] = False

    def lose(self) -> None:
        """Take note that samples of any variable may be missing before what comes next."""
        self._is_lossy = ~self._is_refused

    def hear(self, samples: Samples, arrival: Instant) -> tuple[list[Scan], list[Loss]]:
        """Take samples in, as the server sent them; return what is to be stored of them."""
        place, (raw, status, transport), _ = samples
        at_ns, doubts = self._times(samples, arrival)
        overflows = is_overflow(status)
        lossy = overflows | (self._is_lossy[place] & _is_first(place, len(self._channel)))
        told = joined(transport, doubts | np.where(lossy, LOST, 0).astype(np.uint32))
        losses = [self._overflow(place[overflows], at_ns[overflows])] if overflows.any() else []
        scans = [
            Scan(
                device=self._device,
                at_ns=int(at_ns[part[0]]),
                mono_ns=arrival.mono_ns,
                channel=self._channel[place[part]],
                raw=raw[part],
                status=status[part],
                transport=told[part],
            )
            for part in _scans(at_ns, place)
        ]
        # Of several samples of one variable the last one stands.
        self._raw[place], self._status[place], self._transport[place] = raw, status, transport
        self._last_ns[place] = at_ns
        self._is_known[place] = self._has_spoken[place] = True
        self._is_lossy[place] = False
        return scans, losses

    def standing(self, heard: Instant) -> Scan | None:
        """Return the last word of every variable that has not spoken since the last call.

        Args:
            heard: when the server last said something, and nothing of these variables.

        """
        silent = ~self._has_spoken
        self._has_spoken[:] = False
        if not silent.any():
            return None
        lossy = np.where(self._is_lossy[silent], LOST, 0).astype(np.uint32)
        self._is_lossy[silent] = False
        self._last_ns[silent] = heard.utc_ns
        return Scan(
            device=self._device,
            at_ns=heard.utc_ns,
            mono_ns=heard.mono_ns,
            channel=self._channel[silent],
            raw=self._raw[silent],
            status=self._status[silent],
            transport=self._transport[silent] | lossy,
        )

    def _times(self, samples: Samples, arrival: Instant) -> tuple[Int64Array, UInt32Array]:
        """Return when the samples were taken, and what is to be said against that."""
        place, count = samples.place, len(self._channel)
        is_last = _is_first(place[::-1], count)[::-1]
        # What stands when the subscription begins: nobody knows since when.
        is_start = is_last & ~self._is_known[place]
        doubts = np.where(is_last, 0, OLD)
        at_ns = np.full(len(place), arrival.utc_ns, np.int64)
        if self._time is not None:
            has_time = believed(samples.source_ns, arrival, self._time) & ~is_start
            at_ns = np.where(has_time, samples.source_ns, at_ns)
            doubts = np.where(has_time, 0, np.where(is_start, 0, doubts | NOT_BELIEVED))
        return at_ns, doubts.astype(np.uint32)

    def _overflow(self, place: npt.NDArray[np.intp], at_ns: Int64Array) -> Loss:
        last_ns = self._last_ns[place]
        return Loss(
            channels=tuple(np.unique(self._channel[place]).tolist()),
            from_ns=int(np.where(last_ns > 0, last_ns, at_ns).min()),
            to_ns=int(at_ns.max()),
            count=0,
            detail="the queue of the server overflowed",
        )


def believed(source_ns: Int64Array, arrival: Instant, time: SourceTime) -> BoolArray:
    """Return where source timestamps are within what is believed of the server's clock."""
    ahead_ns = source_ns - arrival.utc_ns
    return (-time.behind_s * NS_PER_S <= ahead_ns) & (ahead_ns <= time.ahead_s * NS_PER_S)


def joined(transport: UInt32Array, doubts: UInt32Array) -> UInt32Array:
    """Return two words of doubts as one: the worse class, all else of both."""
    classes, rest = np.uint32(7), ~np.uint32(7)
    worse: UInt32Array = np.maximum(transport & classes, doubts & classes)
    return worse | (transport | doubts) & rest


def _is_first(place: npt.NDArray[np.intp], count: int) -> BoolArray:
    """Return where a place comes for the first time."""
    first = np.zeros(count, np.intp)
    index = np.arange(len(place))
    first[place[::-1]] = index[::-1]  # of repeated indices the last is assigned
    is_first: BoolArray = first[place] == index
    return is_first


def _scans(
    at_ns: Int64Array, place: npt.NDArray[np.intp]
) -> Iterator[Sequence[int] | npt.NDArray[np.intp]]:
    """Yield the indices of what is one scan: of one time, each place once, rising."""
    if not len(place):
        return
    # How often the same place came before with the same time: sorted, a run of equal pairs.
    order = np.lexsort((place, at_ns))
    index = np.arange(len(place))
    is_new = np.ones(len(place), np.bool_)
    is_new[1:] = (np.diff(at_ns[order]) != 0) | (np.diff(place[order]) != 0)
    layer = np.empty(len(place), np.intp)
    layer[order] = index - np.maximum.accumulate(np.where(is_new, index, 0))
    order = np.lexsort((place, layer, at_ns))
    ends = np.flatnonzero((np.diff(at_ns[order]) != 0) | (np.diff(layer[order]) != 0)) + 1
    yield from np.split(order, ends)
