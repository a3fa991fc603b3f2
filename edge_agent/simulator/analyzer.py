"""One analyzer of the plant: its registers, its poll counter and its faults, without a line.

A poll is one round of requests: as soon as a request asks again for an address that this poll has
already given, the next poll begins. In the simulated stack the counter of polls stands in two
registers of its own, high word first, so that every answer that holds them can be told from every
other; devices of other profiles have no registers to spare.
"""

from dataclasses import dataclass, field
from typing import Final, Protocol

from edge_agent.config.profile import Profile
from edge_agent.config.vocabulary import Table
from edge_agent.simulator.encoding import Words
from edge_agent.simulator.fault import Fault, FaultRates
from edge_agent.simulator.plant import Plant
from edge_agent.simulator.record import Answer, Record

# docs/profiles.md, the simulated stack, table 3: behind the status words.
POLL_COUNTER: Final = (Table.HOLDING, 42)


class Memory(Protocol):
    """What a device holds."""

    def at(self, at_ns: int) -> Words:
        """Return every register and bit at a moment, UTC ns."""
        ...


@dataclass(slots=True, kw_only=True)
class Analyzer:
    """An analyzer at work.

    Attributes:
        name: of the device.
        unit: its Modbus unit identifier.
        plant: what it measures.
        profile: of which model it is.
        memory: how it shows what it measures.
        faults: what its requests meet.
        record: where its answers are noted.
        counts_polls: whether the number of the poll stands in its registers.
        poll: number of the poll under way, from 1.

    """

    name: str
    unit: int
    plant: Plant
    profile: Profile
    memory: Memory
    faults: FaultRates
    record: Record
    counts_polls: bool = False
    poll: int = 1
    _request_count: int = 0
    _given: set[tuple[Table, int]] = field(default_factory=set)

    def fault(self, at_ns: int) -> Fault | None:
        """Return what the next request meets."""
        self._request_count += 1
        if self.plant.is_silent(at_ns):
            return Fault.SILENT
        return self.faults.of(self.plant.seed, self.name, self._request_count)

    def answer(self, at_ns: int, table: Table, address: int, count: int) -> Answer:
        """Return what a request asks for; addresses that nothing is known of hold 0."""
        places = [(table, address + offset) for offset in range(count)]
        if not self._given.isdisjoint(places):
            self.poll += 1
            self._given.clear()
        self._given.update(places)
        words = self._words(at_ns)
        return Answer(
            device=self.name,
            unit=self.unit,
            poll=self.poll,
            at_ns=at_ns,
            table=table,
            address=address,
            registers=tuple(words.get(place, 0) for place in places),
        )

    def note(self, answer: Answer) -> None:
        """Note an answer that is about to be sent."""
        self.record.note(answer)

    def extent(self, table: Table) -> int:
        """Return how many addresses of a table the device has, from 0 on; at least one."""
        known = [address for of, address in self._words(self.plant.started_ns) if of is table]
        return max(known, default=0) + 1

    def _words(self, at_ns: int) -> Words:
        words = self.memory.at(at_ns)
        if self.counts_polls:
            table, address = POLL_COUNTER
            words[table, address] = self.poll >> 16 & 0xFFFF
            words[table, address + 1] = self.poll & 0xFFFF
        return words
