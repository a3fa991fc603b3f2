"""All registers and bits of a simulated Modbus device: its profile, read backwards. Pure.

Beside values and status words they hold what the profile wants to see: identity, and the codes of
parameters and units of measure. Where two points share registers, the one that the site has named
is there, or else the first one of the profile.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final, TypeAlias

from edge_agent.config.protocols.modbus_parts import BIT_TABLES, Check, Identity, ModbusPoint
from edge_agent.config.protocols.modbus_profile import ModbusProfile
from edge_agent.config.protocols.modbus_status import Block, ModbusStatus
from edge_agent.config.vocabulary import Checked, Table
from edge_agent.simulator.encoding import Words, encoded, pdu_address, reordered, whole_number
from edge_agent.simulator.instrument import WELL, Instrument
from edge_agent.simulator.plant import Condition
from edge_agent.simulator.status import status_word

WHOLE_REGISTER: Final = 0xFFFF
Place: TypeAlias = tuple[Table, int]


@dataclass(frozen=True, slots=True)
class Bits:
    """Some bits of a register, by the address that the document prints."""

    table: Table
    printed: int
    mask: int
    bits: int


@dataclass(frozen=True, slots=True)
class Spoken:
    """A status word at its place, and the points that it speaks of."""

    status: ModbusStatus
    offset: int
    points: tuple[str, ...]


class Registers:
    """The memory of one instrument."""

    def __init__(self, instrument: Instrument) -> None:
        """Lay out the profile of an instrument; a test serves every profile there is.

        Raises:
            TypeError: it is no Modbus device.
            ValueError: word order or addressing are neither in the profile nor said of the site.

        """
        profile = instrument.profile
        if not isinstance(profile, ModbusProfile):
            raise TypeError(f"{profile.id} is no profile of a Modbus device")
        self._instrument = instrument
        self._profile = profile
        self._order = instrument.site.word_order or profile.modbus.word_order
        self._addressing = instrument.site.addressing or profile.modbus.addressing
        self._places = dict(self._layout())
        self._conditions: dict[Condition, Words] = {}

    @property
    def served(self) -> tuple[str, ...]:
        """The points whose values are there, by name; what shares registers with them is not."""
        return tuple(self._places)

    def at(self, at_ns: int) -> Words:
        """Return every register and bit at a moment."""
        instrument = self._instrument
        indication = instrument.plant.indicated(at_ns)
        words = dict(self._constant)
        for name, value in instrument.values(indication, at_ns, self._places).items():
            point, (table, first) = self._places[name]
            for address, word in enumerate(encoded(point, self._order, value), first):
                words[table, address] = words.get((table, address), 0) | word
        condition = indication.condition
        if condition not in self._conditions:
            self._conditions[condition] = self._said(condition)
        for place, word in self._conditions[condition].items():
            words[place] = words.get(place, 0) | word
        return words

    def _layout(self) -> Iterator[tuple[str, tuple[ModbusPoint, Place]]]:
        """Yield the points that are served, and where they begin on the wire."""
        taken: set[tuple[Table, int, int]] = set()
        named = self._instrument.site.parameters
        for name in sorted(self._instrument.points, key=lambda name: name not in named):
            point, offset = self._profile.point(name), self._offset(name)
            if point is None:
                continue
            first = point.address + offset
            own = set(_bits_of(point, first))
            if taken.isdisjoint(own):
                taken |= own
                yield name, (point, self._place(point.table, first))

    def _offset(self, name: str) -> int:
        """Return how far the registers of a point are from those of the first component."""
        block, index = self._component(name)
        return 0 if block is None else index * block.stride

    def _component(self, name: str) -> tuple[Block | None, int]:
        outer, _, rest = name.partition(".")
        block = self._profile.blocks.get(outer)
        if block is None or not rest:
            return None, 0
        return block, int(rest.partition(".")[0]) - block.first

    @cached_property
    def _constant(self) -> Words:
        """What never changes: identity, and codes of parameters and units."""
        words: Words = {}
        for identity in self._profile.identity.values():
            self._put(words, identity.table, identity.address, self._identity(identity))
        for name in self._places:
            point = self._profile.point(name)
            for check in () if point is None else point.checks.values():
                first = check.address + (0 if check.fixed else self._offset(name))
                self._put(words, check.table, first, self._code(name, check))
        return words

    def _identity(self, identity: Identity) -> tuple[int, ...]:
        if identity.raw_type != "text":
            return whole_number(identity.raw_type, self._order, identity.numbers[0])
        octets = identity.texts[0].encode("ascii").ljust(2 * identity.registers)
        return tuple(octets[at] << 8 | octets[at + 1] for at in range(0, len(octets), 2))

    def _code(self, name: str, check: Check) -> tuple[int, ...]:
        """Return the code of what a point is; 0 where there is none."""
        meaning = self._instrument.meanings[name]
        is_parameter = check.of is Checked.PARAMETER
        wanted = meaning.parameter if is_parameter else meaning.unit_of_measure
        code = next((int(code, 0) for code, word in check.codes.items() if word == wanted), 0)
        return whole_number(check.raw_type, self._order, code)

    def _said(self, condition: Condition) -> Words:
        """Return the bits of all status words.

        A place that several of them share says what that of the gas analyzer says.
        """
        words: Words = {}
        follows = self._instrument.follows
        spoken = sorted(self._spoken(), key=lambda one: follows(one.points))
        for one in spoken:
            word = status_word(one.status, condition if follows(one.points) else WELL)
            for said in self._spread(one.status, word, one.offset):
                place = self._place(said.table, said.printed)
                words[place] = words.get(place, 0) & ~said.mask | said.bits
        return words

    def _spoken(self) -> Iterator[Spoken]:
        """Yield every status word of the device."""
        speakers = self._speakers()
        for name, status in self._profile.status.items():
            yield Spoken(status, 0, tuple(speakers.get(("", name), ())))
        for name, block in self._profile.blocks.items():
            stride = block.stride if block.status_stride is None else block.status_stride
            for index in range(block.count):
                component = f"{name}.{index + block.first}"
                for status_name, status in block.status.items():
                    points = tuple(speakers.get((component, status_name), ()))
                    yield Spoken(status, 0 if status.fixed else index * stride, points)

    def _speakers(self) -> dict[tuple[str, str], list[str]]:
        """Return the points of each status word, by its component and its name.

        Status words of the profile are of no component.
        """
        found: dict[tuple[str, str], list[str]] = {}
        for name, (point, _) in self._places.items():
            if point.status is not None:
                block, _ = self._component(name)
                is_own = block is not None and point.status in block.status
                component = name.rpartition(".")[0] if is_own else ""
                found.setdefault((component, point.status), []).append(name)
        return found

    def _spread(self, status: ModbusStatus, word: int, offset: int) -> Iterator[Bits]:
        """Yield everything that a status word is made of."""
        table, address = status.table, status.address
        if table is not None and address is not None:
            halves = (word >> 16 & WHOLE_REGISTER, word & WHOLE_REGISTER)
            registers = reordered(halves, self._order) if status.registers > 1 else halves[1:]
            for index, bits in enumerate(registers):
                yield Bits(table, address + offset + index, WHOLE_REGISTER, bits)
        for part in status.parts:
            first, mask = part.address + (0 if part.fixed else offset), (1 << part.width) - 1
            bits = word >> part.at & mask
            if part.table in BIT_TABLES:
                for index in range(part.width):
                    yield Bits(part.table, first + index, 1, bits >> index & 1)
            else:
                yield Bits(part.table, first, mask << part.bit, bits << part.bit)

    def _put(self, words: Words, table: Table, printed: int, registers: tuple[int, ...]) -> None:
        for index, word in enumerate(registers):
            words[self._place(table, printed + index)] = word

    def _place(self, table: Table, printed: int) -> Place:
        is_holding = self._profile.modbus.input_is_holding and table is Table.INPUT
        address = pdu_address(printed, self._addressing)
        return Table.HOLDING if is_holding else table, address


def _bits_of(point: ModbusPoint, first: int) -> Iterator[tuple[Table, int, int]]:
    """Yield table, printed address and bit of everything that a value takes."""
    if point.raw_type.startswith("bit"):
        yield point.table, first, int(point.raw_type.removeprefix("bit"))
        return
    count = {"32": 2, "64": 4}.get(point.raw_type[-2:], 1)
    for index in range(count):
        for bit in range(16):
            yield point.table, first + index, bit
