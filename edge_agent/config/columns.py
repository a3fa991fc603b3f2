"""The points and channels of a device as columns: what analyzers of one kind share is there once.

A gateway may have 100,000 channels. One object for each would take more memory than everything
else in the agent; so each of these sequences holds what is common to all devices with the same
points of the same profile, and makes an element when it is asked for one.
"""

from abc import abstractmethod
from array import array
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar, overload

from edge_agent.config.place import Place
from edge_agent.wire.bundle import ChannelFacts, ChannelRow

ElementT = TypeVar("ElementT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Where the raw word of a channel is, and where the status word that goes with it."""

    channel: int
    place: Place
    raw_type: str
    status: Place | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PointFacts:
    """A point without its channel."""

    place: Place
    raw_type: str
    status: Place | None


class Columns(Sequence[ElementT], Generic[ElementT]):
    """A sequence whose elements are made when they are asked for."""

    __slots__ = ("numbers",)

    def __init__(self, numbers: Sequence[int]) -> None:
        """Take the channel numbers, rising."""
        self.numbers = array("I", numbers)

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, index: int) -> ElementT: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[ElementT, ...]: ...

    def __getitem__(self, index: int | slice) -> ElementT | tuple[ElementT, ...]:
        if isinstance(index, slice):
            return tuple(self._element(each) for each in range(len(self))[index])
        return self._element(range(len(self))[index])

    def __iter__(self) -> Iterator[ElementT]:
        return map(self._element, range(len(self)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Columns) and self._columns == other._columns

    def __hash__(self) -> int:
        return hash(self._columns)

    @property
    @abstractmethod
    def _columns(self) -> tuple[Hashable, ...]:
        """Everything that it holds."""

    @abstractmethod
    def _element(self, index: int) -> ElementT:
        """Return one element."""


class Points(Columns[Point]):
    """The points of a device, by rising channel."""

    __slots__ = ("facts",)

    def __init__(self, numbers: Sequence[int], facts: tuple[PointFacts, ...]) -> None:
        """Take the channel numbers and, in the same order, what they share with other devices."""
        super().__init__(numbers)
        self.facts = facts

    @property
    def _columns(self) -> tuple[Hashable, ...]:
        return self.numbers.tobytes(), self.facts

    def _element(self, index: int) -> Point:
        facts = self.facts[index]
        return Point(
            channel=self.numbers[index],
            place=facts.place,
            raw_type=facts.raw_type,
            status=facts.status,
        )


class Channels(Columns[ChannelRow]):
    """The rows of the channel table that are a device's, by rising number."""

    __slots__ = ("_facilities", "_names", "device", "facts")

    def __init__(
        self,
        numbers: Sequence[int],
        facts: tuple[ChannelFacts, ...],
        *,
        device: str,
        names: Sequence[str],
        facilities: tuple[str, ...],
    ) -> None:
        """Take the numbers and, in the same order, the facts, names and facilities."""
        super().__init__(numbers)
        self.facts = facts
        self.device = device
        # A name has no control character (`config.model.Name`), so a line is a name.
        self._names = "\n".join(names)
        self._facilities = facilities

    @property
    def names(self) -> list[str]:
        """What people call the channels."""
        return self._names.split("\n") if self.numbers else []

    @property
    def _columns(self) -> tuple[Hashable, ...]:
        return self.numbers.tobytes(), self.facts, self.device, self._names, self._facilities

    def __iter__(self) -> Iterator[ChannelRow]:
        rows = zip(self.numbers, self.names, self._facilities, self.facts, strict=True)
        return (self._row(*row) for row in rows)

    def _element(self, index: int) -> ChannelRow:
        number, name = self.numbers[index], self.names[index]
        return self._row(number, name, self._facilities[index], self.facts[index])

    def _row(self, number: int, name: str, facility: str, facts: ChannelFacts) -> ChannelRow:
        return ChannelRow(
            channel=number,
            name=name,
            facility=facility,
            device=self.device,
            parameter=facts.parameter,
            unit_of_measure=facts.unit_of_measure,
            raw_type=facts.raw_type,
            word_order=facts.word_order,
            scale=facts.scale,
            offset=facts.offset,
            resolution=facts.resolution,
            status_source=facts.status_source,
            profile=facts.profile,
            profile_hash=facts.profile_hash,
        )


def numbers_of(channels: Sequence[ChannelRow]) -> Sequence[int]:
    """Return the numbers of channels; no row is made where they are columns."""
    if isinstance(channels, Columns):
        return channels.numbers
    return [row.channel for row in channels]
