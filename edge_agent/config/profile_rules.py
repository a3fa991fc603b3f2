"""What must agree within one profile; pure functions that return what does not."""

from collections.abc import Iterable, Iterator
from typing import assert_never

from edge_agent.config.profile import ModbusFacts, Profile
from edge_agent.config.structure import KeyPath, Misfit, did_you_mean
from edge_agent.config.vocabulary import Addressing, Table, WordOrder

# Modbus Application Protocol V1.1b3 section 4.4: PDU addresses are 0 to 65535.
ADDRESS_COUNT = 65_536
# The reference numbers of Modicon controllers: the first digit names the table (Modbus Protocol
# Reference Guide PI-MBUS-300, chapter 1); five digits, or six where more than 9,999 are needed.
MODICON_FIRST = {
    Table.COIL: (1, 1),
    Table.DISCRETE: (10_001, 100_001),
    Table.INPUT: (30_001, 300_001),
    Table.HOLDING: (40_001, 400_001),
}
MODICON_FIVE_DIGITS = 9_999
WIDE_TYPES = {"32": 2, "64": 4}


def register_count(raw_type: str) -> int:
    """Return how many registers (or bits, for bool) a value takes."""
    return WIDE_TYPES.get(raw_type[-2:], 1)


def pdu_address(table: Table, printed: int, addressing: Addressing) -> int | None:
    """Return the address on the wire of a printed address, or None if there is none.

    Raises:
        ValueError: the addressing is unknown.

    """
    match addressing:
        case Addressing.ZERO_BASED:
            first = 0
        case Addressing.ONE_BASED:
            first = 1
        case Addressing.MODICON:
            short, long = MODICON_FIRST[table]
            first = short if short <= printed < short + MODICON_FIVE_DIGITS else long
        case Addressing.UNKNOWN:
            raise ValueError("an unknown addressing gives no address")
        case _:
            assert_never(addressing)
    address = printed - first
    return address if 0 <= address < ADDRESS_COUNT else None


def profile_misfits(profile: Profile, profile_id: str | None) -> tuple[Misfit, ...]:
    """Return everything that does not agree within a profile.

    Args:
        profile: a profile whose fields are good one by one.
        profile_id: the id that its place in the library gives it; None: any.

    """
    return (
        *_identity(profile, profile_id),
        *_statuses(profile),
        *_addresses(profile),
        *_vectors(profile),
    )


def _identity(profile: Profile, profile_id: str | None) -> Iterator[Misfit]:
    if profile_id is not None and profile.id != profile_id:
        yield Misfit(
            path=("id",),
            message=f"'{profile.id}' does not agree with the place of the file",
            remedy=f'write id = "{profile_id}", or move the file to {profile.id}.toml',
        )
    if not profile.provenance:
        yield Misfit(
            path=("provenance",),
            message="nobody can check registers without a document",
            remedy="add a [[provenance]] table with kind, document and pages",
        )
    if not profile.points:
        yield Misfit(path=("points",), message="there is none", remedy="add a [points.NAME] table")


def _statuses(profile: Profile) -> Iterator[Misfit]:
    for name, point in profile.points.items():
        if point.status is not None and point.status not in profile.status:
            yield Misfit(
                path=("points", name, "status"),
                message=f"there is no status word '{point.status}'",
                remedy=did_you_mean(point.status, profile.status),
            )


def address_misfits(profile: Profile, addressing: Addressing) -> Iterator[Misfit]:
    """Yield the addresses of a profile that are none when counted so, or cannot be read."""
    facts = profile.modbus
    places: list[tuple[KeyPath, Table, int, int]] = [
        *(
            (("points", name, "address"), one.table, one.address, register_count(one.raw_type))
            for name, one in profile.points.items()
        ),
        *(
            (("status", name, "address"), one.table, one.address, 1)
            for name, one in profile.status.items()
        ),
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


def _addresses(profile: Profile) -> Iterator[Misfit]:
    if profile.modbus.addressing is not Addressing.UNKNOWN:
        yield from address_misfits(profile, profile.modbus.addressing)


def _vectors(profile: Profile) -> Iterator[Misfit]:
    for index, vector in enumerate(profile.test_vectors):
        path: KeyPath = ("test_vectors", index)
        yield from _known_points(vector.expect, profile, path)
        for key, in_profile, given, unknown in (
            ("addressing", profile.modbus.addressing, vector.addressing, Addressing.UNKNOWN),
            ("word_order", profile.modbus.word_order, vector.word_order, WordOrder.UNKNOWN),
        ):
            if (in_profile is unknown) != (given is not None):
                yield Misfit(
                    path=(*path, key),
                    message=f"the profile says {in_profile}",
                    remedy=f"give {key} in a test vector exactly where the profile says unknown",
                )


def _known_points(names: Iterable[str], profile: Profile, path: KeyPath) -> Iterator[Misfit]:
    for name in names:
        if name not in profile.points:
            yield Misfit(
                path=(*path, "expect", name),
                message="there is no such point",
                remedy=did_you_mean(name, profile.points),
            )
