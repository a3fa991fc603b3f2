"""What the words of an answer mean, and what is left of a scan when the device refuses a part."""

import struct
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.config.device import Device, Table
from edge_agent.config.protocols.modbus import Register
from edge_agent.drivers.blocks import BIT_TABLES, Block
from edge_agent.drivers.registers import (
    REFUSED_STATUS,
    REFUSED_VALUE,
    Decoder,
    Layout,
)
from edge_agent.wire.vocabulary import NO_VALUE, QualityClass, Reason, has_value, quality_class

MakeDevice = Callable[..., Device]
FullPlace = tuple[Table, int, str, Register | None]

HOLDING, INPUT, COIL = Table.HOLDING, Table.INPUT, Table.COIL


def status(address: int, table: Table = HOLDING) -> Register:
    return Register(table=table, address=address)


def register(table: Table, address: int) -> int:
    """Return what the simulated device holds: a different word, or bit, at every address."""
    if table in BIT_TABLES:
        return (address * 7 + address // 3) % 2
    return (address * 40_503 + (9_973 if table == INPUT else 0)) & 0xFFFF


def answer(block: Block) -> bytes:
    """Return the payload of an answer (Modbus Application Protocol V1.1b3, 6.1 and 6.3)."""
    values = [register(block.table, block.address + n) for n in range(block.count)]
    if block.table not in BIT_TABLES:
        return struct.pack(f">{block.count}H", *values)
    packed = bytearray(-(-block.count // 8))
    for index, bit in enumerate(values):
        packed[index // 8] |= bit << index % 8
    return bytes(packed)


def raw_by_definition(table: Table, address: int, kind: str) -> int:
    """Return raw as docs/wire-format.md section 6 says it."""
    if table in BIT_TABLES:
        return register(table, address)
    count = {"uint32": 2, "float32": 2, "int64": 4, "float64": 4}.get(kind, 1)
    value = 0
    for index in range(count):
        value = value << 16 | register(table, address + index)
    return value - 2**64 if value >= 2**63 else value


def test_words_are_taken_in_order_of_address_and_zero_extended(make_device: MakeDevice) -> None:
    device = make_device(
        (HOLDING, 0, "int16"),
        (HOLDING, 1, "int32"),
        (HOLDING, 3, "float64"),
        (HOLDING, 7, "bit4"),
        (COIL, 3, "bool"),
    )
    layout = Layout.of(device)
    assert [block.table for block in layout.blocks] == [COIL, HOLDING]
    words = struct.pack(">8H", 0xFFFF, 0x8000, 0x0001, 0xFFFF, 2, 3, 4, 0x0010)
    raw, states = Decoder(layout).words([b"\x01", words])
    assert raw.tolist() == [
        0xFFFF,
        0x8000_0001,
        -(2**48) + (2 << 32) + (3 << 16) + 4,
        0x0010,
        1,
    ]
    assert raw.dtype == np.int64
    assert states.tolist() == [0, 0, 0, 0, 0]
    assert states.dtype == np.uint32


def test_a_status_word_is_given_to_every_point_that_names_it(make_device: MakeDevice) -> None:
    device = make_device(
        (HOLDING, 0, "uint16", status(2)),
        (HOLDING, 1, "uint16", None),
        (INPUT, 0, "uint16", status(2)),
        (HOLDING, 1, "uint16", status(5, Table.DISCRETE)),
    )
    layout = Layout.of(device)
    answers = {
        Table.DISCRETE: b"\x01",
        HOLDING: struct.pack(">3H", 10, 11, 0xABCD),
        INPUT: struct.pack(">H", 20),
    }
    raw, states = Decoder(layout).words([answers[block.table] for block in layout.blocks])
    assert raw.tolist() == [10, 11, 20, 11]
    assert states.tolist() == [0xABCD, 0, 0xABCD, 1]


places = st.tuples(
    st.sampled_from(list(Table)),
    st.integers(0, 300),
    st.sampled_from(["uint16", "bit3", "float32", "uint32", "int64", "float64"]),
    st.none() | st.builds(status, st.integers(0, 300), st.sampled_from(list(Table))),
)


@given(points=st.lists(places, min_size=1, max_size=30), limit=st.integers(4, 125))
def test_decoding_agrees_with_its_definition(
    points: list[FullPlace], limit: int, make_device: MakeDevice
) -> None:
    layout = Layout.of(make_device(*points, max_registers=limit))
    raw, states = Decoder(layout).words([answer(block) for block in layout.blocks])
    assert raw.tolist() == [raw_by_definition(table, at, kind) for table, at, kind, _ in points]
    assert states.tolist() == [
        0 if where is None else register(where.table, where.address) for *_, where in points
    ]


def scan(layout: Layout, is_refused: Callable[[Block], bool]) -> tuple[Layout, list[bytes], int]:
    """Ask a device that refuses some blocks, as the driver does; count the requests."""
    answers: list[bytes] = []
    asked = 0
    while len(answers) < len(layout.requests):
        block = layout.requests[len(answers)].block
        asked += 1
        if is_refused(block):
            layout = layout.after_refusal(len(answers), is_divisible=True)
        else:
            answers.append(answer(block))
    return layout, answers, asked


@given(
    points=st.lists(places, min_size=1, max_size=30),
    bad=st.sets(st.tuples(st.sampled_from(list(Table)), st.integers(0, 300)), max_size=20),
    extra=st.integers(0, 29),
)
def test_what_is_not_refused_is_read_and_what_is_refused_is_said_to_be(
    points: list[FullPlace], bad: set[tuple[Table, int]], extra: int, make_device: MakeDevice
) -> None:
    bad.add(points[extra % len(points)][:2])

    def is_refused(block: Block) -> bool:
        return any((block.table, address) in bad for address in range(block.address, block.end))

    layout, answers, _ = scan(Layout.of(make_device(*points)), is_refused)
    decoder = Decoder(layout)
    raw, states = decoder.words(answers)
    for index, (table, address, kind, where) in enumerate(points):
        count = (
            1
            if table in BIT_TABLES
            else {"uint32": 2, "float32": 2, "int64": 4, "float64": 4}.get(kind, 1)
        )
        is_lost = is_refused(Block(table=table, address=address, count=count))
        has_lost_status = where is not None and (where.table, where.address) in bad
        assert raw[index] == (0 if is_lost else raw_by_definition(table, address, kind))
        expected = REFUSED_VALUE if is_lost else REFUSED_STATUS if has_lost_status else 0
        assert decoder.transport[index] == expected
        if where is not None:
            word = 0 if has_lost_status else register(where.table, where.address)
            assert states[index] == word
    # What was learned holds: the next scan meets no refusal.
    again, _, asked = scan(layout, is_refused)
    assert again is layout
    assert asked == len(layout.requests)


def test_one_bad_register_among_a_hundred_is_found_in_a_few_requests(
    make_device: MakeDevice,
) -> None:
    device = make_device(*[(HOLDING, n, "uint16") for n in range(100)])
    layout, _, asked = scan(Layout.of(device), lambda block: block.address <= 61 < block.end)
    assert asked <= 2 * 7 + 2
    assert len(layout.requests) <= 8
    assert np.flatnonzero(Decoder(layout).transport).tolist() == [61]


def test_an_indivisible_refusal_is_not_divided(make_device: MakeDevice) -> None:
    layout = Layout.of(make_device((COIL, 0, "bool"), (COIL, 1, "bool"), (HOLDING, 0, "uint16")))
    left = layout.after_refusal(0, is_divisible=False)
    assert [block.table for block in left.blocks] == [HOLDING]
    assert Decoder(left).transport.tolist() == [REFUSED_VALUE, REFUSED_VALUE, 0]


def test_the_words_for_refusals_say_what_is_missing() -> None:
    both = np.array([REFUSED_VALUE, REFUSED_STATUS], np.uint32)
    assert quality_class(both).tolist() == [
        QualityClass.FAILURE,
        QualityClass.OUT_OF_SPECIFICATION,
    ]
    assert has_value(both).tolist() == [False, True]
    assert REFUSED_VALUE & NO_VALUE
    assert all(word & Reason.REFUSED for word in (REFUSED_VALUE, REFUSED_STATUS))


def test_the_arrays_that_scans_share_cannot_be_altered(make_device: MakeDevice) -> None:
    decoder = Decoder(Layout.of(make_device((HOLDING, 0, "uint16"))))
    _, states = decoder.words([b"\x00\x01"])
    for shared in (decoder.transport, states):
        with pytest.raises(ValueError, match="read-only"):
            shared[0] = 1
