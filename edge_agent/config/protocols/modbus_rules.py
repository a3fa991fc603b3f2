"""What must agree within the profile of a Modbus device, and with the file of a device; pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from edge_agent.config.device_model import ChannelSettings, DeviceSettings
from edge_agent.config.finding import written
from edge_agent.config.protocols.modbus_addresses import (
    ADDRESS_COUNT,
    pdu_address,
    register_count,
)
from edge_agent.config.protocols.modbus_parts import (
    BIT_TABLES,
    ModbusFacts,
    ModbusPoint,
    ModbusVector,
)
from edge_agent.config.protocols.modbus_status import Block, ModbusStatus
from edge_agent.config.structure import KeyPath, Misfit
from edge_agent.config.vocabulary import Addressing, Checked, Table, WordOrder


@dataclass(frozen=True, slots=True)
class Printed:
    """Registers as a document prints them; in a block those of its first one.

    `offsets` says how far it is from there to each.
    """

    path: KeyPath
    table: Table
    address: int
    count: int
    offsets: range = range(1)


def addresses(
    facts: ModbusFacts, places: Iterable[Printed], addressing: Addressing
) -> Iterator[Misfit]:
    """Yield the addresses of a profile that are none when counted so, or cannot be read."""
    for index, gap in enumerate(facts.unreadable):
        for key, address in (("first", gap.first), ("last", gap.last)):
            path: KeyPath = ("modbus", "unreadable", index, key)
            yield from _no_address(path, gap.table, address, 1, addressing)
    for place in places:
        yield from _too_wide(place, facts)
        for offset in place.offsets:
            there = (place.path, place.table, place.address + offset, place.count)
            found = [*_no_address(*there, addressing), *_unreadable(*there, facts)]
            yield from found
            if found:
                break


def printed_in(
    points: Mapping[str, ModbusPoint], status: Mapping[str, ModbusStatus], block: Block | None
) -> Iterator[Printed]:
    """Yield all registers of points and status words, with paths from the table they stand in."""
    stride, count = (1, 1) if block is None else (block.stride, block.count)
    offsets = range(0, stride * count, stride)
    for name, point in points.items():
        width = register_count(point.raw_type)
        path: KeyPath = ("points", name, "address")
        yield Printed(path, point.table, point.address, width, offsets)
        for key, check in point.checks.items():
            width = register_count(check.raw_type)
            path = ("points", name, "checks", key, "address")
            at = range(1) if check.fixed else offsets
            yield Printed(path, check.table, check.address, width, at)
    stride = stride if block is None or block.status_stride is None else block.status_stride
    offsets = range(0, stride * count, stride)
    for name, word in status.items():
        at = range(1) if word.fixed else offsets
        if word.table is not None and word.address is not None:
            path = ("status", name, "address")
            yield Printed(path, word.table, word.address, word.registers, at)
        for index, part in enumerate(word.parts):
            path = ("status", name, "parts", index, "address")
            at = range(1) if word.fixed or part.fixed else offsets
            width = part.width if part.table in BIT_TABLES else 1
            yield Printed(path, part.table, part.address, width, at)


def _no_address(
    path: KeyPath, table: Table, address: int, count: int, addressing: Addressing
) -> Iterator[Misfit]:
    first = pdu_address(table, address, addressing)
    if first is None or first + count > ADDRESS_COUNT:
        yield Misfit(
            path=path,
            message=f"{address} is no {addressing} address of the table '{table}'",
            remedy="write the address as the document prints it, or correct modbus.addressing",
        )


def _too_wide(place: Printed, facts: ModbusFacts) -> Iterator[Misfit]:
    if place.table not in BIT_TABLES and place.count > facts.max_registers_per_read:
        most = facts.max_registers_per_read
        yield Misfit(
            path=place.path,
            message=f"{place.count} registers, and one request gives {most}",
            remedy="raise modbus.max_registers_per_read, or correct raw_type",
        )


def _unreadable(
    path: KeyPath, table: Table, address: int, count: int, facts: ModbusFacts
) -> Iterator[Misfit]:
    if any(
        gap.table == table and gap.first < address + count and address <= gap.last
        for gap in facts.unreadable
    ):
        yield Misfit(
            path=path,
            message="the register is unreadable",
            remedy="correct the address, or the range in modbus.unreadable",
        )


def vectors(facts: ModbusFacts, test_vectors: Sequence[ModbusVector]) -> Iterator[Misfit]:
    """Yield test vectors that leave open how they are read, or say it where the profile does."""
    for index, vector in enumerate(test_vectors):
        for key, in_profile, given, unknown in (
            ("addressing", facts.addressing, vector.addressing, Addressing.UNKNOWN),
            ("word_order", facts.word_order, vector.word_order, WordOrder.UNKNOWN),
        ):
            if (in_profile is unknown) != (given is not None):
                yield Misfit(
                    path=("test_vectors", index, key),
                    message=f"the profile says {in_profile}",
                    remedy=f"give {key} in a test vector exactly where the profile says unknown",
                )


def confirmations(
    facts: ModbusFacts, settings: DeviceSettings, profile_id: str
) -> Iterator[Misfit]:
    """Yield what a technician has to confirm, or has confirmed although it was known."""
    for key, in_profile, confirmed, unknown in (
        ("addressing", facts.addressing, settings.addressing, Addressing.UNKNOWN),
        ("word_order", facts.word_order, settings.word_order, WordOrder.UNKNOWN),
    ):
        known = ", ".join(word for word in type(unknown) if word != unknown)
        if confirmed is unknown:
            yield Misfit(
                path=(key,), message="unknown confirms nothing", remedy=f"write one of {known}"
            )
        elif in_profile is unknown and confirmed is None:
            yield Misfit(
                path=(key,),
                message=f"the documents behind {profile_id} do not say the {key}",
                remedy=f"compare a reading with the front panel and write {key} = one of {known}",
            )
        elif in_profile is not unknown and confirmed not in (None, in_profile):
            yield Misfit(
                path=(key,),
                message=f"the profile {profile_id} says {in_profile}",
                remedy=f"remove {key}, or correct the profile in profiles.d",
            )


def impossible(confirmed: Addressing, misfits: Iterable[Misfit]) -> Iterator[Misfit]:
    """Yield that an addressing was confirmed with which the profile's addresses cannot be."""
    for misfit in misfits:
        place = written(misfit.path)
        yield Misfit(
            path=("addressing",),
            message=f"{confirmed} cannot be: the profile's {place}: {misfit.message}",
            remedy="compare a reading with the front panel once more",
        )


def codes(channel: ChannelSettings, point: ModbusPoint, path: KeyPath) -> Iterator[Misfit]:
    """Yield that a channel says what no code of the device stands for."""
    for check in point.checks.values():
        said = said_of(check.of, channel, point)
        if said is not None and said not in check.codes.values():
            known = ", ".join(sorted(set(check.codes.values())))
            yield Misfit(
                path=path,
                message=f"the device has no code for the {check.of} '{said}'",
                remedy=f"it can say {known}",
            )


def said_of(key: Checked, channel: ChannelSettings, point: ModbusPoint) -> str | None:
    """Return what channel and profile together say of what a register can confirm."""
    match key:
        case Checked.PARAMETER:
            return channel.parameter or point.parameter
        case Checked.UNIT_OF_MEASURE:
            return channel.unit_of_measure or point.unit_of_measure
        case _:
            assert_never(key)
