"""The profile of a Modbus device, and what it means together with the file of one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar, Self

from edge_agent.config.constraint import Matching
from edge_agent.config.device_model import ChannelSettings, DeviceSettings
from edge_agent.config.endpoint import SERIAL, Scheme
from edge_agent.config.place import IdentityCheck, Spot
from edge_agent.config.profile import PointName, Profile, TestVector
from edge_agent.config.profile_rules import fact_misfits, status_misfits
from edge_agent.config.protocols import modbus_rules as rules
from edge_agent.config.protocols.modbus import ModbusSpeech
from edge_agent.config.protocols.modbus_addresses import word_order_of
from edge_agent.config.protocols.modbus_identity import code_check, identity_check, width_of
from edge_agent.config.protocols.modbus_parts import (
    Identity,
    ModbusFacts,
    ModbusPoint,
    ModbusVector,
)
from edge_agent.config.protocols.modbus_status import Block, ModbusStatus
from edge_agent.config.protocols.modbus_wire import Wire
from edge_agent.config.structure import Misfit
from edge_agent.config.vocabulary import Addressing, Role, Table, WordOrder

DEFAULT_UNIT_ID = 1
MODBUS_TCP_PORT = 502  # Modbus Messaging on TCP/IP Implementation Guide V1.0b section 3.1.3


@dataclass(frozen=True, slots=True, kw_only=True)
class ModbusProfile(Profile):
    """One model of analyzer that speaks Modbus.

    Attributes:
        protocol: modbus.
        modbus: how it speaks Modbus.
        points: the values it gives.
        status: the status words it gives.
        blocks: registers that come again for each component.
        identity: what registers must hold if it is this model.
        test_vectors: registers and the values they must give.
    """

    SCHEMES: ClassVar[Mapping[str, Scheme]] = {
        "tcp": Scheme(port=MODBUS_TCP_PORT),
        "rtu+tcp": Scheme(),
        SERIAL: Scheme(is_serial=True),
    }
    OWN_KEYS: ClassVar[frozenset[str]] = frozenset({"unit_id", "word_order", "addressing"})
    NOWHERE: ClassVar[str] = "tcp://127.0.0.1:502"

    protocol: Annotated[str, Matching("modbus", "modbus")] = "modbus"
    modbus: ModbusFacts
    points: Mapping[PointName, ModbusPoint] = field(default_factory=dict)
    status: Mapping[PointName, ModbusStatus] = field(default_factory=dict)
    blocks: Mapping[PointName, Block] = field(default_factory=dict)
    identity: Mapping[PointName, Identity] = field(default_factory=dict)
    test_vectors: tuple[ModbusVector, ...] = ()

    def point(self, name: str) -> ModbusPoint | None:
        """Return a point by the name that channels know it by: NAME, or BLOCK.NUMBER.NAME."""
        block, _, inner = self._within(name)
        return self.points.get(name) if block is None else block.points.get(inner)

    def point_names(self) -> tuple[str, ...]:
        """Return the names of all points that a channel can be of."""
        return (
            *self.points,
            *(
                f"{name}.{number}.{point}"
                for name, block in self.blocks.items()
                for number in block.numbers
                for point in block.points
            ),
        )

    def status_of(self, name: str) -> ModbusStatus | None:
        """Return the status word that goes with a point, None if it has none."""
        block, _, _ = self._within(name)
        point = self.point(name)
        if point is None or point.status is None:
            return None
        inner = None if block is None else block.status.get(point.status)
        return inner or self.status[point.status]

    def fact_of(self, name: str, role: Role) -> str | None:
        """Return the name of the point that gives a calibration fact about another one."""
        block, number, inner = self._within(name)
        if block is None:
            return Profile.fact_of(self, name, role)
        facts = (one for one, p in block.points.items() if (p.role, p.of) == (role, inner))
        fact = next(facts, None)
        return None if fact is None else f"{name.partition('.')[0]}.{number}.{fact}"

    def doubted(self) -> Self:
        """Return the profile as if its document said neither word order nor addressing."""
        facts = replace(self.modbus, addressing=Addressing.UNKNOWN, word_order=WordOrder.UNKNOWN)
        return replace(self, modbus=facts)

    def misfits(self) -> Iterator[Misfit]:
        """Yield addresses that are none or cannot be read, and vectors that cannot be tried."""
        for name, block in self.blocks.items():
            yield from fact_misfits(block.points, ("blocks", name, "points"))
            yield from status_misfits(
                block.points, (*block.status, *self.status), ("blocks", name, "points")
            )
        if self.modbus.addressing is not Addressing.UNKNOWN:
            yield from rules.addresses(self.modbus, self._printed(), self.modbus.addressing)
        yield from rules.vectors(self.modbus, self.test_vectors)

    def device_misfits(self, settings: DeviceSettings) -> Iterator[Misfit]:
        """Yield what a technician has to confirm, or has confirmed in vain."""
        yield from rules.confirmations(self.modbus, settings, self.id)
        confirmed = settings.addressing
        is_open = self.modbus.addressing is Addressing.UNKNOWN
        if is_open and confirmed not in (None, Addressing.UNKNOWN):
            found = rules.addresses(self.modbus, self._printed(), confirmed)
            yield from rules.impossible(confirmed, found)
        for index, channel in enumerate(settings.channels):
            point = self.point(channel.point)
            if point is not None:
                yield from rules.codes(channel, point, ("channels", index))

    def speech(self, settings: DeviceSettings) -> ModbusSpeech:
        """Return how a unit is asked; its settings have no misfits."""
        wire = self._wire(settings)
        ranges = [
            (wire.register(gap.table, gap.first), wire.register(gap.table, gap.last))
            for gap in self.modbus.unreadable
        ]
        return ModbusSpeech(
            unit_id=DEFAULT_UNIT_ID if settings.unit_id is None else settings.unit_id,
            max_registers_per_read=self.modbus.max_registers_per_read,
            unreadable=tuple((one.table, one.address, last.address) for one, last in ranges),
        )

    def spot(self, settings: DeviceSettings, point: str) -> Spot:
        """Return where a point of a unit is; its settings have no misfits."""
        value, wire = self.point(point), self._wire(settings)
        if value is None:
            raise ValueError(f"device {settings.name} has misfits")
        offset, status_offset = self._offsets(point)
        status = self.status_of(point)
        place, source = (None, None) if status is None else wire.status(status, status_offset)
        return Spot(
            place=wire.register(value.table, value.address + offset),
            status=place,
            status_source=source,
            word_order=word_order_of(value.raw_type, wire.word_order),
        )

    def identity_checks(self, settings: DeviceSettings) -> tuple[IdentityCheck, ...]:
        """Return what a unit must say of itself and of its values; it has no misfits."""
        wire = self._wire(settings)
        return (
            *(identity_check(name, one, wire) for name, one in self.identity.items()),
            *(
                code_check(channel, point, check, wire, self._offsets(channel.point)[0])
                for channel in settings.channels
                if (point := self.point(channel.point)) is not None
                for check in point.checks.values()
            ),
        )

    def trial_settings(
        self, vector: TestVector, channels: Sequence[ChannelSettings]
    ) -> DeviceSettings:
        """Return the settings of a unit that has the registers of a test vector."""
        plain = Profile.trial_settings(self, vector, channels)
        if not isinstance(vector, ModbusVector):
            return plain
        return replace(plain, addressing=vector.addressing, word_order=vector.word_order)

    def memory(self, vector: ModbusVector) -> Mapping[tuple[Table, int], int]:
        """Return the registers and bits of a test vector by their addresses on the wire."""
        wire = self._wire(vector)
        found: dict[tuple[Table, int], int] = {}
        for table, runs in vector.registers.items():
            for printed, words in runs.items():
                first = wire.register(table, int(printed, 0))
                found |= {(first.table, first.address + at): word for at, word in enumerate(words)}
        return found

    def _within(self, name: str) -> tuple[Block | None, int, str]:
        """Return block, number and inner name of a point; no block where it is in none."""
        outer, _, rest = name.partition(".")
        number, _, inner = rest.partition(".")
        block = self.blocks.get(outer) if inner and number.isdecimal() else None
        if block is None or int(number) not in block.numbers or str(int(number)) != number:
            return None, 0, name
        return block, int(number), inner

    def _offsets(self, name: str) -> tuple[int, int]:
        """Return how far the registers of a point and of its status word are from the first."""
        block, number, inner = self._within(name)
        if block is None:
            return 0, 0
        index, status = number - block.first, block.points[inner].status
        status_stride = block.stride if block.status_stride is None else block.status_stride
        return index * block.stride, index * status_stride if status in block.status else 0

    def _printed(self) -> Iterator[rules.Printed]:
        yield from rules.printed_in(self.points, self.status, None)
        for name, block in self.blocks.items():
            for one in rules.printed_in(block.points, block.status, block):
                yield replace(one, path=("blocks", name, *one.path))
        for name, identity in self.identity.items():
            path = ("identity", name, "address")
            yield rules.Printed(path, identity.table, identity.address, width_of(identity))

    def _wire(self, confirmed: DeviceSettings | ModbusVector) -> Wire:
        """Return how registers are counted and ordered, where somebody has confirmed it."""
        order = confirmed.word_order or self.modbus.word_order
        if order is WordOrder.UNKNOWN:
            raise ValueError(f"{self.id} has misfits: the word order is unknown")
        return Wire(
            addressing=confirmed.addressing or self.modbus.addressing,
            word_order=order,
            input_is_holding=self.modbus.input_is_holding,
        )
