"""Printed registers as those of one device, in every order and way of counting."""

import numpy as np
import pytest

from edge_agent.config.protocols.modbus import Register, StatusWord
from edge_agent.config.protocols.modbus_status import ModbusStatus, StatusBits
from edge_agent.config.protocols.modbus_wire import Wire
from edge_agent.config.status_words import Meaning
from edge_agent.config.vocabulary import Addressing, ClassWord, Table, WordOrder
from edge_agent.wire.words import number_reader

HOLDING, INPUT, DISCRETE = Table.HOLDING, Table.INPUT, Table.DISCRETE
ORDERS = [order for order in WordOrder if order is not WordOrder.UNKNOWN]
BITS = {"0": Meaning(class_=ClassWord.FAILURE)}


def wire(
    order: WordOrder = WordOrder.ABCD,
    addressing: Addressing = Addressing.ZERO_BASED,
    *,
    input_is_holding: bool = False,
) -> Wire:
    """Return how a device counts and orders."""
    return Wire(addressing=addressing, word_order=order, input_is_holding=input_is_holding)


@pytest.mark.parametrize("order", ORDERS)
def test_a_word_of_two_registers_is_that_of_a_uint32_in_the_same_order(order: WordOrder) -> None:
    status = ModbusStatus(table=HOLDING, address=7, registers=2, bits=BITS, page="none")
    held = {7: 0x0102, 8: 0x0304}

    word, _ = wire(order).status(status, 0)

    assert isinstance(word, StatusWord)
    found = 0
    for part in word.parts:
        bits = held[part.register.address] >> part.first_bit & (1 << part.width) - 1
        found |= bits << part.at_bit
    raw = np.array([0x0102_0304])
    assert found == number_reader("uint32", order)(raw)[0]


def test_a_device_that_knows_holding_registers_alone_is_asked_for_no_others() -> None:
    one = wire(addressing=Addressing.MODICON, input_is_holding=True)

    assert one.register(INPUT, 30_010) == Register(table=HOLDING, address=9)
    assert one.register(HOLDING, 40_010) == Register(table=HOLDING, address=9)
    assert one.register(DISCRETE, 10_010) == Register(table=DISCRETE, address=9)
    assert wire().register(INPUT, 9) == Register(table=INPUT, address=9)


def test_what_is_fixed_is_the_same_for_every_component() -> None:
    parts = (
        StatusBits(table=INPUT, address=10, width=16, at=0),
        StatusBits(table=DISCRETE, address=3, at=16, fixed=True),
    )
    strided = ModbusStatus(parts=parts, bits=BITS, page="none")
    fixed = ModbusStatus(parts=parts, bits=BITS, page="none", fixed=True)

    assert wire().status(strided, 24)[1] == "input:34.0+16@0 discrete:3@16"
    assert wire().status(fixed, 24)[1] == "input:10.0+16@0 discrete:3@16"


def test_equal_words_are_one_object() -> None:
    status = ModbusStatus(table=HOLDING, address=7, registers=2, bits=BITS, page="none")

    assert wire().status(status, 2)[0] is wire().status(status, 2)[0]


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="no one_based address"):
        wire(addressing=Addressing.ONE_BASED).register(INPUT, 0)
