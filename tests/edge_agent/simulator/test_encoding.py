"""Registers are the profile read backwards: its test vectors come out of their values."""

from decimal import Decimal

import pytest

from edge_agent.config.protocols.modbus_parts import ModbusPoint
from edge_agent.config.protocols.modbus_profile import ModbusProfile
from edge_agent.config.vocabulary import Addressing, Table, WordOrder
from edge_agent.simulator.encoding import encoded, pdu_address
from edge_agent.simulator.service import PROFILE as STACK
from edge_agent.simulator.shipped import shipped


def simulated_stack() -> ModbusProfile:
    profile = shipped(STACK)
    assert isinstance(profile, ModbusProfile)
    return profile


PROFILE = simulated_stack()


def test_the_first_test_vector_of_the_profile_comes_out_of_its_values() -> None:
    vector = PROFILE.test_vectors[0]
    held = {
        (table, int(first, 0) + index): word
        for table, runs in vector.registers.items()
        for first, words in runs.items()
        for index, word in enumerate(words)
    }
    for name, expected in vector.expect.items():
        point = PROFILE.points[name]
        words = encoded(point, WordOrder.ABCD, float(expected.value or 0))
        assert words == tuple(held[point.table, point.address + i] for i in range(len(words)))


ENCODED = [
    ("int16", "1", "0", -2.0, (0xFFFE,)),
    ("int16", "0.1", "0", 99_999.0, (0x7FFF,)),
    ("int16", "0.1", "0", -99_999.0, (0x8000,)),
    ("uint16", "1", "0", -1.0, (0,)),
    ("uint16", "0.5", "10", 12.0, (4,)),
    ("int32", "1", "0", -2.0, (0xFFFF, 0xFFFE)),
    ("uint32", "1000", "0", 12_000_000.0, (0, 12_000)),
    ("int64", "1", "0", -1.0, (0xFFFF,) * 4),
    ("float32", "1", "0", 118.25, (0x42EC, 0x8000)),
    ("float64", "1", "0", 1.0, (0x3FF0, 0, 0, 0)),
    ("bit3", "1", "0", 1.0, (8,)),
    ("bool", "1", "0", 1.0, (1,)),
    ("bool", "1", "0", 0.0, (0,)),
]


@pytest.mark.parametrize(("raw_type", "scale", "offset", "value", "words"), ENCODED)
def test_a_value_becomes_the_words_of_its_type(
    raw_type: str, scale: str, offset: str, value: float, words: tuple[int, ...]
) -> None:
    point = ModbusPoint(
        parameter="NOx",
        unit_of_measure="ppm",
        table=Table.COIL if raw_type == "bool" else Table.INPUT,
        address=0,
        raw_type=raw_type,
        scale=Decimal(scale),
        offset=Decimal(offset),
        resolution=Decimal(1),
        page="1",
    )
    assert encoded(point, WordOrder.ABCD, value) == words


ORDERS = [
    (WordOrder.ABCD, (0x42EC, 0x8000)),
    (WordOrder.CDAB, (0x8000, 0x42EC)),
    (WordOrder.BADC, (0xEC42, 0x0080)),
    (WordOrder.DCBA, (0x0080, 0xEC42)),
]


@pytest.mark.parametrize(("order", "words"), ORDERS)
def test_words_lie_in_the_order_of_the_device(order: WordOrder, words: tuple[int, int]) -> None:
    assert encoded(PROFILE.points["nox_ppm"], order, 118.25) == words


ADDRESSES = [
    (Addressing.ZERO_BASED, 7, 7),
    (Addressing.ONE_BASED, 7, 6),
    (Addressing.MODICON, 40_007, 6),
    (Addressing.MODICON, 7, 6),
    (Addressing.MODICON, 400_007, 6),
]


@pytest.mark.parametrize(("addressing", "printed", "address"), ADDRESSES)
def test_printed_addresses_become_those_of_the_protocol(
    addressing: Addressing, printed: int, address: int
) -> None:
    assert pdu_address(printed, addressing) == address


def test_what_the_profile_leaves_open_is_not_guessed() -> None:
    with pytest.raises(ValueError, match="addressing is unknown"):
        pdu_address(1, Addressing.UNKNOWN)
    with pytest.raises(ValueError, match="word order is unknown"):
        encoded(PROFILE.points["nox_ppm"], WordOrder.UNKNOWN, 1.0)
