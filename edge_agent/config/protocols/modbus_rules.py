"""What must agree within the profile of a Modbus device, and with the file of a device; pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from edge_agent.config.finding import written
from edge_agent.config.model import DeviceSettings
from edge_agent.config.protocols.modbus_addresses import (
    ADDRESS_COUNT,
    pdu_address,
    register_count,
)
from edge_agent.config.protocols.modbus_parts import (
    ModbusFacts,
    ModbusPoint,
    ModbusStatus,
    ModbusVector,
)
from edge_agent.config.structure import KeyPath, Misfit
from edge_agent.config.vocabulary import Addressing, Table, WordOrder


def addresses(
    facts: ModbusFacts,
    points: Mapping[str, ModbusPoint],
    status: Mapping[str, ModbusStatus],
    addressing: Addressing,
) -> Iterator[Misfit]:
    """Yield the addresses of a profile that are none when counted so, or cannot be read."""
    places: list[tuple[KeyPath, Table, int, int]] = [
        *(
            (("points", name, "address"), one.table, one.address, register_count(one.raw_type))
            for name, one in points.items()
        ),
        *((("status", name, "address"), one.table, one.address, 1) for name, one in status.items()),
    ]
    for index, gap in enumerate(facts.unreadable):
        for key, address in (("first", gap.first), ("last", gap.last)):
            path: KeyPath = ("modbus", "unreadable", index, key)
            yield from _no_address(path, gap.table, address, 1, addressing)
    for path, table, address, count in places:
        yield from _no_address(path, table, address, count, addressing)
        yield from _unreadable(path, table, address, count, facts)


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


def _unreadable(
    path: KeyPath, table: Table, address: int, count: int, facts: ModbusFacts
) -> Iterator[Misfit]:
    if count > facts.max_registers_per_read:
        yield Misfit(
            path=path,
            message=f"{count} registers, and one request gives {facts.max_registers_per_read}",
            remedy="raise modbus.max_registers_per_read, or correct raw_type",
        )
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
