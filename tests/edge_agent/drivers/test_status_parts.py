"""Status words that are put together of bits of several registers and tables."""

from collections.abc import Callable
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.config.device import Device, Table
from edge_agent.config.protocols.modbus import Register, StatusPart, StatusWord
from edge_agent.drivers.blocks import BIT_TABLES
from edge_agent.drivers.registers import REFUSED_STATUS, Decoder, Layout
from tests.edge_agent.drivers.test_registers import answer, register

MakeDevice = Callable[..., Device]

HOLDING, INPUT, DISCRETE = Table.HOLDING, Table.INPUT, Table.DISCRETE


def part(table: Table, address: int, first_bit: int, width: int, at_bit: int) -> StatusPart:
    return StatusPart(
        register=Register(table=table, address=address),
        first_bit=first_bit,
        width=width,
        at_bit=at_bit,
    )


# Bits of a discrete table, a byte of a register and a whole one, each beside the others.
WORD: Final = StatusWord(
    parts=(
        part(DISCRETE, 5, 0, 1, 0),
        part(DISCRETE, 6, 0, 1, 3),
        part(INPUT, 40, 4, 8, 8),
        part(HOLDING, 9, 0, 16, 16),
    )
)


def by_definition(word: StatusWord) -> int:
    """Return a status word bit by bit, as docs/profiles.md section 4 says it."""
    status = 0
    for one in word.parts:
        held = register(one.register.table, one.register.address)
        for index in range(one.width):
            status |= (held >> one.first_bit + index & 1) << one.at_bit + index
    return status


def decoded(device: Device) -> list[int]:
    """Return the status words that a device answers with."""
    layout = Layout.of(device)
    _, status = Decoder(layout).words([answer(block) for block in layout.blocks])
    return [int(word) for word in status]


def test_a_word_of_several_tables_is_put_together_for_every_point_that_has_it(
    make_device: MakeDevice,
) -> None:
    plain = Register(table=HOLDING, address=9)
    device = make_device(
        (INPUT, 0, "uint16", WORD), (INPUT, 1, "float32", None), (INPUT, 3, "uint16", plain),
        (HOLDING, 4, "uint16", WORD),
    )  # fmt: skip

    whole = by_definition(WORD)
    assert whole > 0xFFFF
    assert decoded(device) == [whole, 0, register(HOLDING, 9), whole]


@st.composite
def words(draw: st.DrawFn) -> StatusWord:
    """Return a word of some parts that do not stand on one another."""
    parts = []
    at_bit = 0
    for _ in range(draw(st.integers(1, 8))):
        table = draw(st.sampled_from([HOLDING, INPUT, DISCRETE]))
        is_bit = table in BIT_TABLES
        first_bit = 0 if is_bit else draw(st.integers(0, 15))
        width = 1 if is_bit else draw(st.integers(1, 16 - first_bit))
        at_bit += draw(st.integers(0, 3))
        if at_bit + width > 32:
            break
        parts.append(part(table, draw(st.integers(0, 60)), first_bit, width, at_bit))
        at_bit += width
    return StatusWord(parts=tuple(parts))


@given(given_words=st.lists(words().filter(lambda one: bool(one.parts)), min_size=1, max_size=5))
def test_putting_together_agrees_with_its_definition(
    make_device: MakeDevice, given_words: list[StatusWord]
) -> None:
    device = make_device(
        *((INPUT, 3 * index, "float32", word) for index, word in enumerate(given_words))
    )

    assert decoded(device) == [by_definition(word) for word in given_words]


def test_a_part_that_the_device_refuses_leaves_the_value_without_a_status(
    make_device: MakeDevice,
) -> None:
    device = make_device((INPUT, 0, "uint16", WORD), (INPUT, 1, "uint16", None), max_registers=10)
    layout = Layout.of(device)
    refused = next(index for index, block in enumerate(layout.blocks) if block.table is HOLDING)

    decoder = Decoder(layout.after_refusal(refused, is_divisible=True))
    raw, status = decoder.words([answer(block) for block in decoder.layout.blocks])

    assert raw.tolist() == [register(INPUT, 0), register(INPUT, 1)]
    # The judge looks at no status word that has this mark.
    assert decoder.transport.tolist() == [REFUSED_STATUS, 0]
    assert status.tolist()[1] == 0


def test_devices_with_words_put_together_and_without_share_no_decoder(
    make_device: MakeDevice,
) -> None:
    other = StatusWord(parts=WORD.parts[:2])

    one, two = make_device((INPUT, 0, "uint16", WORD)), make_device((INPUT, 0, "uint16", other))

    assert (decoded(one), decoded(two)) == ([by_definition(WORD)], [by_definition(other)])
