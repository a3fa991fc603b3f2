"""The profile of a Modbus device, and what it means together with the file of one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar

from edge_agent.config.constraint import Matching
from edge_agent.config.endpoint import SERIAL, Scheme
from edge_agent.config.model import ChannelSettings, DeviceSettings
from edge_agent.config.place import Spot
from edge_agent.config.profile import PointName, Profile, TestVector
from edge_agent.config.protocols import modbus_rules as rules
from edge_agent.config.protocols.modbus import ModbusSpeech, Register
from edge_agent.config.protocols.modbus_addresses import address_of, word_order_of
from edge_agent.config.protocols.modbus_parts import (
    ModbusFacts,
    ModbusPoint,
    ModbusStatus,
    ModbusVector,
)
from edge_agent.config.structure import Misfit
from edge_agent.config.vocabulary import Addressing, Table, WordOrder

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
    points: Mapping[PointName, ModbusPoint]
    status: Mapping[PointName, ModbusStatus] = field(default_factory=dict)
    test_vectors: tuple[ModbusVector, ...] = ()

    def point(self, name: str) -> ModbusPoint | None:
        """Return a point by the name that channels know it by."""
        return self.points.get(name)

    def status_of(self, name: str) -> ModbusStatus | None:
        """Return the status word that goes with a point, None if it has none."""
        point = self.point(name)
        return None if point is None or point.status is None else self.status[point.status]

    def misfits(self) -> Iterator[Misfit]:
        """Yield addresses that are none or cannot be read, and vectors that cannot be tried."""
        if self.modbus.addressing is not Addressing.UNKNOWN:
            yield from rules.addresses(
                self.modbus, self.points, self.status, self.modbus.addressing
            )
        yield from rules.vectors(self.modbus, self.test_vectors)

    def device_misfits(self, settings: DeviceSettings) -> Iterator[Misfit]:
        """Yield what a technician has to confirm, or has confirmed in vain."""
        yield from rules.confirmations(self.modbus, settings, self.id)
        confirmed = settings.addressing
        is_open = self.modbus.addressing is Addressing.UNKNOWN
        if is_open and confirmed not in (None, Addressing.UNKNOWN):
            found = rules.addresses(self.modbus, self.points, self.status, confirmed)
            yield from rules.impossible(confirmed, found)

    def speech(self, settings: DeviceSettings) -> ModbusSpeech:
        """Return how a unit is asked; its settings have no misfits."""
        addressing = self._addressing(settings)
        return ModbusSpeech(
            unit_id=DEFAULT_UNIT_ID if settings.unit_id is None else settings.unit_id,
            max_registers_per_read=self.modbus.max_registers_per_read,
            unreadable=tuple(
                (
                    gap.table,
                    address_of(gap.table, gap.first, addressing),
                    address_of(gap.table, gap.last, addressing),
                )
                for gap in self.modbus.unreadable
            ),
        )

    def spot(self, settings: DeviceSettings, point: str) -> Spot:
        """Return where a point of a unit is; its settings have no misfits."""
        value, addressing = self.points[point], self._addressing(settings)
        status = (
            None if value.status is None else self._register(self.status[value.status], addressing)
        )
        word_order = settings.word_order or self.modbus.word_order
        if word_order is WordOrder.UNKNOWN:
            raise ValueError(f"device {settings.name} has misfits")
        return Spot(
            place=self._register(value, addressing),
            status=status,
            status_source=None if status is None else f"{status.table}:{status.address}",
            word_order=word_order_of(value.raw_type, word_order),
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
        addressing = vector.addressing or self.modbus.addressing
        return {
            (table, address_of(table, int(printed, 0), addressing) + offset): word
            for table, runs in vector.registers.items()
            for printed, words in runs.items()
            for offset, word in enumerate(words)
        }

    def _addressing(self, settings: DeviceSettings) -> Addressing:
        return settings.addressing or self.modbus.addressing

    def _register(self, place: ModbusPoint | ModbusStatus, addressing: Addressing) -> Register:
        return Register(
            table=place.table, address=address_of(place.table, place.address, addressing)
        )
