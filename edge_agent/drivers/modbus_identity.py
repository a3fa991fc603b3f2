"""What a Modbus device says of itself, held against what it must say. Pure."""

from typing import Final

import numpy as np

from edge_agent.config.device import IdentityCheck
from edge_agent.config.protocols.modbus import Text, register_of
from edge_agent.drivers.blocks import WORD_COUNTS, Block
from edge_agent.wire.words import number_reader

TEXT_BLANKS: Final = b" \0"


def block_of(check: IdentityCheck) -> Block:
    """Return the registers to ask for."""
    if isinstance(check.place, Text):
        first, count = check.place.register, check.place.count
    else:
        first, count = register_of(check.place), WORD_COUNTS.get(check.raw_type, 1)
    return Block(table=first.table, address=first.address, count=count)


def contradiction(check: IdentityCheck, answer: bytes) -> str | None:
    """Return in what the device is not what it must be, or None if it is.

    Args:
        check: what must be there.
        answer: the bytes of the registers, the most significant of each first.

    """
    said: int | str
    if isinstance(check.place, Text):
        said = answer.strip(TEXT_BLANKS).decode("ascii", "backslashreplace")
    else:
        raw = np.array([int.from_bytes(answer, "big")], np.int64)
        said = int(number_reader(check.raw_type, check.word_order)(raw)[0])
    if said in check.accepted:
        return None
    accepted = " or ".join(repr(one) for one in check.accepted)
    return f"{check.meaning}: the device says {said!r}, not {accepted}"
