"""Which addresses are asked for together: limits, gaps, unreadable ranges, status words."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.config.device import Device, Table
from edge_agent.config.protocols.modbus import Register
from edge_agent.drivers.blocks import BIT_TABLES, MAX_BITS, Block, Request, halves
from edge_agent.drivers.registers import MAX_GAP_TCP, Layout, plan_blocks

MakeDevice = Callable[..., Device]
Place = tuple[Table, int, str] | tuple[Table, int, str, Register | None]
FullPlace = tuple[Table, int, str, Register | None]
Range = tuple[Table, int, int]

HOLDING, INPUT, COIL = Table.HOLDING, Table.INPUT, Table.COIL


def at(address: int, table: Table = HOLDING) -> Register:
    return Register(table=table, address=address)


def block(address: int, count: int, table: Table = HOLDING) -> Block:
    return Block(table=table, address=address, count=count)


@dataclass(frozen=True)
class Points:
    """Points, and what a request for them may look like."""

    places: tuple[Place, ...]
    max_gap: int
    max_registers: int
    unreadable: tuple[Range, ...]


def points(
    *places: Place,
    max_gap: int = MAX_GAP_TCP,
    max_registers: int = 125,
    unreadable: Sequence[Range] = (),
) -> Points:
    return Points(places, max_gap, max_registers, tuple(unreadable))


CASES: dict[str, tuple[Points, list[Block]]] = {
    "neighbours are one request": (
        points((HOLDING, 0, "uint16"), (HOLDING, 1, "float32")),
        [block(0, 3)],
    ),
    "the order of the points does not matter": (
        points((HOLDING, 9, "uint16"), (HOLDING, 0, "uint16")),
        [block(0, 10)],
    ),
    "a gap is read through on TCP": (
        points((HOLDING, 0, "uint16"), (HOLDING, 124, "uint16")),
        [block(0, 125)],
    ),
    "one register too many is a second request": (
        points((HOLDING, 0, "uint16"), (HOLDING, 125, "uint16")),
        [block(0, 1), block(125, 1)],
    ),
    "a value is never divided at the limit": (
        points((HOLDING, 0, "uint16"), (HOLDING, 124, "uint32")),
        [block(0, 1), block(124, 2)],
    ),
    "the device's own limit counts": (
        points(*[(HOLDING, n, "uint16") for n in range(10)], max_registers=4),
        [block(0, 4), block(4, 4), block(8, 2)],
    ),
    "a gap as wide as allowed is read through": (
        points((HOLDING, 0, "uint16"), (HOLDING, 9, "uint16"), max_gap=8),
        [block(0, 10)],
    ),
    "a wider gap is not": (
        points((HOLDING, 0, "uint16"), (HOLDING, 10, "uint16"), max_gap=8),
        [block(0, 1), block(10, 1)],
    ),
    "an unreadable range is never touched": (
        points(
            (HOLDING, 0, "uint16"),
            (HOLDING, 2, "uint16"),
            (HOLDING, 3, "uint16"),
            unreadable=[(HOLDING, 1, 1)],
        ),
        [block(0, 1), block(2, 2)],
    ),
    "an unreadable range of another table does not count": (
        points((HOLDING, 0, "uint16"), (HOLDING, 2, "uint16"), unreadable=[(INPUT, 1, 1)]),
        [block(0, 3)],
    ),
    "tables are asked for apart": (
        points((HOLDING, 0, "uint16"), (INPUT, 0, "uint16"), (COIL, 0, "bool")),
        [block(0, 1, COIL), block(0, 1), block(0, 1, INPUT)],
    ),
    "bits have their own limit": (
        points((COIL, 0, "bool"), (COIL, 1999, "bool"), (COIL, 2000, "bool")),
        [block(0, 2000, COIL), block(2000, 1, COIL)],
    ),
    "the register limit of the device does not bind bits": (
        points((COIL, 0, "bool"), (COIL, 100, "bool"), max_registers=4),
        [block(0, 101, COIL)],
    ),
    "bits of one register are read once": (
        points((HOLDING, 7, "bit0"), (HOLDING, 7, "bit15"), (HOLDING, 7, "uint16")),
        [block(7, 1)],
    ),
    "a value comes with its status word, over a gap that alone would divide": (
        points((HOLDING, 0, "uint16", at(50)), max_gap=8),
        [block(0, 51)],
    ),
    "a status word too far away is asked for apart": (
        points((HOLDING, 0, "uint16", at(200))),
        [block(0, 1), block(200, 1)],
    ),
    "a status word behind an unreadable range is asked for apart": (
        points((HOLDING, 0, "uint16", at(9)), unreadable=[(HOLDING, 5, 5)]),
        [block(0, 1), block(9, 1)],
    ),
    "a status word of another table is asked for apart": (
        points((INPUT, 0, "uint16", at(0))),
        [block(0, 1), block(0, 1, INPUT)],
    ),
    "no points, no requests": (points(), []),
}


@pytest.mark.parametrize(("given_points", "expected"), CASES.values(), ids=CASES)
def test_points_are_asked_for_in_these_blocks(
    given_points: Points, expected: list[Block], make_device: MakeDevice
) -> None:
    device = make_device(
        *given_points.places,
        max_registers=given_points.max_registers,
        unreadable=given_points.unreadable,
    )
    assert list(plan_blocks(device, max_gap=given_points.max_gap)) == expected


@pytest.mark.parametrize(
    ("kind", "limit", "unreadable"),
    [("float64", 3, []), ("uint16", 125, [(HOLDING, 0, 10)])],
    ids=["wider than the device's limit", "inside an unreadable range"],
)
def test_a_point_that_no_request_can_read_is_refused_by_its_channel(
    kind: str, limit: int, unreadable: list[Range], make_device: MakeDevice
) -> None:
    device = make_device((HOLDING, 0, kind), max_registers=limit, unreadable=unreadable)
    with pytest.raises(ValueError, match="channels 1 lie in an unreadable range or are wider"):
        plan_blocks(device)


places = st.tuples(
    st.sampled_from(list(Table)),
    st.integers(0, 400),
    st.sampled_from(["uint16", "bit3", "float32", "int64"]),
    st.none() | st.builds(at, st.integers(0, 400), st.sampled_from(list(Table))),
)


@given(
    points=st.lists(places, max_size=40),
    limit=st.integers(4, 125),
    gap=st.integers(0, 130),
    holes=st.lists(st.tuples(st.sampled_from(list(Table)), st.integers(410, 420)), max_size=3),
    hole_every=st.sampled_from([None, 7, 50]),
)
def test_every_wanted_part_is_in_exactly_one_request_and_every_request_keeps_the_rules(
    points: list[FullPlace],
    limit: int,
    gap: int,
    holes: list[tuple[Table, int]],
    hole_every: int | None,
    make_device: MakeDevice,
) -> None:
    used = {
        (table, address + index)
        for table, address, kind, status in points
        for index in range(1 if table in BIT_TABLES else {"float32": 2, "int64": 4}.get(kind, 1))
    } | {(status.table, status.address) for _, _, _, status in points if status}
    free = [
        (table, address, address)
        for table in Table
        for address in range(0, 401, hole_every or 1000)
        if (table, address) not in used
    ]
    unreadable = [*free, *((table, first, first + 3) for table, first in holes)]
    device = make_device(*points, max_registers=limit, unreadable=unreadable)
    layout = Layout.of(device, max_gap=gap)

    got = [
        (want.point_index, part == want.value, part)
        for request in layout.requests
        for want in request.wants
        for part in (want.value, want.status)
        if part is not None
    ]
    expected = sum(1 if status is None else 2 for _, _, _, status in points)
    assert len(got) == expected
    assert len({(index, is_value) for index, is_value, _ in got if is_value}) == len(points)
    for request in layout.requests:
        assert all(request.block.contains(want.hull) for want in request.wants)
        assert request.block.count <= (MAX_BITS if request.block.table in BIT_TABLES else limit)
        assert not any(
            request.block.table == table
            and request.block.address <= last
            and first < request.block.end
            for table, first, last in unreadable
        )
        assert _widest_gap(request) <= gap


def _widest_gap(request: Request) -> int:
    """Return the longest run of addresses in a request that nobody in it wanted, by definition."""
    wanted: set[int] = set()
    for want in request.wants:
        wanted.update(range(want.hull.address, want.hull.end))
    widest = run = 0
    for address in range(request.block.address, request.block.end):
        run = 0 if address in wanted else run + 1
        widest = max(widest, run)
    return widest


@given(points=st.lists(places, min_size=1, max_size=20))
def test_halving_ends_and_loses_nothing(points: list[FullPlace], make_device: MakeDevice) -> None:
    pending = list(Layout.of(make_device(*points)).requests)
    wanted = sorted(
        str(part) for request in pending for want in request.wants for part in want.parts()
    )
    leaves: list[Request] = []
    while pending:
        request = pending.pop()
        smaller = halves(request)
        assert all(request.block.contains(half.block) for half in smaller)
        pending.extend(smaller)
        if not smaller:
            leaves.append(request)
    assert sorted(str(want) for leaf in leaves for want in leaf.wants) == wanted
    assert all(len(leaf.wants) == 1 for leaf in leaves)
