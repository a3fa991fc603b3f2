"""What a subscription tells of the variables of one device, as scans; and what of it stands. Pure.

A sample is stored at the server's source timestamp where that is believed, otherwise at its
arrival. Between two changes a value stands: that it does is told with what the server said last.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from edge_agent.clock import NS_PER_S, Instant
from edge_agent.config.device import Device
from edge_agent.config.protocols.opcua import SourceTime
from edge_agent.drivers.base import Loss
from edge_agent.drivers.opcua_values import Word, is_overflow, word_of
from edge_agent.wire.readings import Scan
from edge_agent.wire.vocabulary import QualityClass, Reason

# An older sample without a time of its own: it is not of the time at which it came.
OLD: Final = int(QualityClass.OUT_OF_SPECIFICATION | Reason.LATE)
NOT_BELIEVED: Final = int(Reason.DEVICE_TIME_NOT_BELIEVED)
LOST: Final = int(Reason.SAMPLES_LOST)


class Sample(NamedTuple):
    """One value of a variable: its place among the points of its device, and when it was taken."""

    place: int
    word: Word
    source_ns: int | None


class Known:
    """What is known of the variables of one device since it was subscribed to.

    What they did before that is not known: the first word of each says that samples were lost.
    """

    def __init__(self, device: Device, time: SourceTime | None) -> None:
        self._device = device.name
        self._time = time
        self._channels = [point.channel for point in device.points]
        self._raw_types = [point.raw_type for point in device.points]
        self._words: list[Word | None] = [None] * len(self._channels)
        self._last_ns = [0] * len(self._channels)
        self._refused: set[int] = set()
        self._spoken: set[int] = set()
        self._lossy = set(range(len(self._channels)))

    @property
    def is_complete(self) -> bool:
        """Whether every variable has a value, or will never have one."""
        return None not in self._words

    @property
    def has_values(self) -> bool:
        """Whether there is something to tell."""
        return any(word is not None for word in self._words)

    @property
    def channels(self) -> tuple[int, ...]:
        """The channels of the device, rising."""
        return tuple(self._channels)

    def refuse(self, index: int, status: int) -> None:
        """Take note that the server does not monitor a variable, by its StatusCode."""
        self._words[index] = word_of(self._raw_types[index], None, None, status)
        self._refused.add(index)
        self._lossy.discard(index)

    def lose(self) -> None:
        """Take note that samples of any variable may be missing before what comes next."""
        self._lossy = set(range(len(self._channels))) - self._refused

    def hear(self, samples: Sequence[Sample], arrival: Instant) -> tuple[list[Scan], list[Loss]]:
        """Take samples in, as the server sent them; return what is to be stored of them."""
        left = Counter(sample.place for sample in samples)
        rows: dict[tuple[int, int], dict[int, Word]] = {}
        overflown: dict[int, tuple[int, int]] = {}
        for sample in samples:
            index = sample.place
            left[index] -= 1
            at_ns, doubts = self._at(sample, arrival, is_last=not left[index])
            if is_overflow(sample.word.status):
                overflown[index] = (self._last_ns[index] or at_ns, at_ns)
                self._lossy.add(index)
            layer = 0
            while index in rows.setdefault((at_ns, layer), {}):
                layer += 1
            rows[at_ns, layer][index] = self._told(index, sample.word, doubts)
            self._words[index] = sample.word
            self._last_ns[index] = at_ns
            self._spoken.add(index)
        scans = [self._scan(at_ns, arrival, rows[at_ns, layer]) for at_ns, layer in sorted(rows)]
        return scans, [self._overflow(overflown)] if overflown else []

    def standing(self, heard: Instant) -> Scan | None:
        """Return the last word of every variable that has not spoken since the last call.

        Args:
            heard: when the server last said something, and nothing of these variables.

        """
        silent = {
            index: self._told(index, word or self._nothing(index), 0)
            for index, word in enumerate(self._words)
            if index not in self._spoken
        }
        for index in silent:
            self._last_ns[index] = heard.utc_ns
        self._spoken.clear()
        return self._scan(heard.utc_ns, heard, silent) if silent else None

    def _at(self, sample: Sample, arrival: Instant, *, is_last: bool) -> tuple[int, int]:
        """Return when a sample was taken, and what is to be said against that."""
        is_first = self._words[sample.place] is None
        if is_last and is_first:
            # What stands when the subscription begins: nobody knows since when.
            return arrival.utc_ns, 0
        doubts = 0 if is_last else OLD
        if self._time is None:
            return arrival.utc_ns, doubts
        if sample.source_ns is not None and is_believed(sample.source_ns, arrival, self._time):
            return sample.source_ns, 0
        return arrival.utc_ns, doubts | NOT_BELIEVED

    def _told(self, index: int, word: Word, doubts: int) -> Word:
        if index in self._lossy:
            self._lossy.discard(index)
            doubts |= LOST
        transport = max(word.transport & 7, doubts & 7) | (word.transport | doubts) & ~7
        return word._replace(transport=transport)

    def _nothing(self, index: int) -> Word:
        return word_of(self._raw_types[index], None, None, 0)

    def _overflow(self, overflown: Mapping[int, tuple[int, int]]) -> Loss:
        return Loss(
            channels=tuple(self._channels[index] for index in sorted(overflown)),
            from_ns=min(from_ns for from_ns, _ in overflown.values()),
            to_ns=max(to_ns for _, to_ns in overflown.values()),
            count=0,
            detail="the queue of the server overflowed",
        )

    def _scan(self, at_ns: int, arrival: Instant, rows: Mapping[int, Word]) -> Scan:
        order = sorted(rows)
        return Scan(
            device=self._device,
            at_ns=at_ns,
            mono_ns=arrival.mono_ns,
            channel=np.array([self._channels[index] for index in order], np.uint32),
            raw=np.array([rows[index].raw for index in order], np.int64),
            status=np.array([rows[index].status for index in order], np.uint32),
            transport=np.array([rows[index].transport for index in order], np.uint32),
        )


def is_believed(source_ns: int, arrival: Instant, time: SourceTime) -> bool:
    """Return whether a source timestamp is within what is believed of the server's clock."""
    ahead_ns = source_ns - arrival.utc_ns
    return -time.behind_s * NS_PER_S <= ahead_ns <= time.ahead_s * NS_PER_S
