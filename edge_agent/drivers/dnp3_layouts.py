"""How the objects of DNP3 lie in a response: IEEE 1815-2012, annex A. Only facts."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from edge_agent.config.protocols.dnp3 import ObjectKind

BOOL, WHOLE, FLOAT32, FLOAT64 = "bool", "int64", "float32", "float64"
# A state in the flag octet: bit 7, or bits 6 and 7 (A.2.2.2.2, A.4.2.2.2).
STATE: Final = "state"

ABSOLUTE, RELATIVE, UNTIMED = 6, 2, 0
"""Octets of the time behind a value: DNP3TIME in ms since 1970 UTC, ms after a g51, none."""


class Layout(NamedTuple):
    """How the objects of one group and variation lie in a response.

    Attributes:
        kind: what they are of; None: they are passed over.
        width: octets of each, without its index; 0 where they are packed.
        code: of the value: STATE, or a little-endian type of numpy without its order.
        has_flags: whether a flag octet comes first.
        time: octets of the time at the end.
        bits: of each, where they are packed.
        is_event: whether they tell a change; otherwise the present.

    """

    kind: ObjectKind | None
    width: int
    code: str = ""
    has_flags: bool = False
    time: int = UNTIMED
    bits: int = 0
    is_event: bool = False


def _layouts() -> dict[tuple[int, int], Layout]:
    """Return every layout that is known: IEEE 1815-2012, annex A; the clause is behind each."""
    table: dict[tuple[int, int], Layout] = {}

    def put(group: int, kind: ObjectKind, *codes: str, is_event: bool = False) -> None:
        """Take a code for each variation from 1: value, '-' without flags, 't' or 'r' for time."""
        for variation, code in enumerate(codes, 1):
            value = code.rstrip("-tr")
            time = ABSOLUTE if code.endswith("t") else RELATIVE if code.endswith("r") else UNTIMED
            has_flags = not code.endswith("-")
            size = 0 if value == STATE else int(value[1])
            width = has_flags + size + time
            table[group, variation] = Layout(kind, width, value, has_flags, time, is_event=is_event)

    kind = ObjectKind
    counters = ("u4", "u2", "u4", "u2")
    flagless = ("u4-", "u2-", "u4-", "u2-")
    timed = ("u4t", "u2t", "u4t", "u2t")
    analog_events = ("i4", "i2", "i4t", "i2t", "f4", "f8", "f4t", "f8t")
    put(1, kind.BINARY_INPUT, STATE, STATE)  # A.2; variation 1 is packed, below
    put(2, kind.BINARY_INPUT, STATE, f"{STATE}t", f"{STATE}r", is_event=True)  # A.3
    put(3, kind.DOUBLE_BIT_INPUT, STATE, STATE)  # A.4
    put(4, kind.DOUBLE_BIT_INPUT, STATE, f"{STATE}t", f"{STATE}r", is_event=True)  # A.5
    put(10, kind.BINARY_OUTPUT, STATE, STATE)  # A.6
    put(11, kind.BINARY_OUTPUT, STATE, f"{STATE}t", is_event=True)  # A.7
    put(20, kind.COUNTER, *counters, *flagless)  # A.10
    put(21, kind.FROZEN_COUNTER, *counters, *timed, *flagless)  # A.11
    put(22, kind.COUNTER, *counters, *timed, is_event=True)  # A.12
    put(23, kind.FROZEN_COUNTER, *counters, *timed, is_event=True)  # A.13
    put(30, kind.ANALOG_INPUT, "i4", "i2", "i4-", "i2-", "f4", "f8")  # A.14
    put(32, kind.ANALOG_INPUT, *analog_events, is_event=True)  # A.16
    put(40, kind.ANALOG_OUTPUT, "i4", "i2", "f4", "f8")  # A.19
    put(42, kind.ANALOG_OUTPUT, *analog_events, is_event=True)  # A.21
    for group, packed, bits in (
        (1, kind.BINARY_INPUT, 1),
        (3, kind.DOUBLE_BIT_INPUT, 2),
        (10, kind.BINARY_OUTPUT, 1),
    ):
        table[group, 1] = Layout(packed, 0, STATE, bits=bits)
    for group, widths in (
        (13, (1, 7)),  # A.9
        (31, (5, 3, 11, 9, 4, 2, 5, 9)),  # A.15
        (33, (5, 3, 11, 9, 5, 9, 11, 15)),  # A.17
        (34, (2, 4, 4)),  # A.18
        (43, (5, 3, 11, 9, 5, 9, 11, 15)),  # A.22
        (50, (6,)),  # A.23
        (51, (6, 6)),  # A.24
        (52, (2, 2)),  # A.25
        (101, (2, 4, 8)),  # A.39
        (102, (1,)),  # A.40
        (121, (7,)),  # A.46
        (122, (7, 13)),  # A.47
    ):
        for variation, width in enumerate(widths, 1):
            table[group, variation] = Layout(None, width)
    return table


LAYOUTS: Final[Mapping[tuple[int, int], Layout]] = MappingProxyType(_layouts())
# A.41, A.42: the variation of an octet string is its length.
STRINGS: Final = frozenset({110, 111})
COMMON_TIME: Final = 51
SYNCHRONISED: Final = 1
"""Variation of a common time that the outstation stands for (A.24.1); 2: it does not."""
