"""Frames of Bayern-Hessen (Gesytec): the data query, its checksum and the answer. Pure.

Frame and checksum: Serinus 44 user manual 3.0, p. 168. Answer: Serinus 10 user manual 3.2, p. 217,
and Serinus 40 user manual 2.2, p. 143. Numbers: Thermo 42i Trace Level instruction manual, p. D-5.
"""

import re
import struct
from dataclasses import dataclass
from functools import reduce
from operator import xor
from typing import Final

STX: Final = b"\x02"
ETX: Final = b"\x03"
# Sign and four digits, the decimal point after the first of them; sign and two digits.
NUMBER: Final = re.compile(r"([+-]\d)(\d{3})([+-]\d{2})", re.ASCII)
ID: Final = re.compile(r"\d{3}", re.ASCII)
BYTE: Final = re.compile(r"[0-9A-Fa-f]{2}")
HEAD: Final = re.compile(r"MD(\d{2})", re.ASCII)
# After instrument, number, status and failure comes one field that nobody needs (Serinus 40, Thermo
# 42i), or the gas id and one such field (Serinus 10).
WITHOUT_GAS: Final = 5
WITH_GAS: Final = 6
# What 99 values can take: each at most 34 characters.
LONGEST: Final = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """One value of an answer.

    Attributes:
        instrument: id that it is of.
        raw: bits of the nearest double, as an int64.
        status: status byte in bits 8 to 15, failure byte in bits 0 to 7.
        gas_id: what the site calls the gas; None where the answer has no gas ids.

    """

    instrument: int
    raw: int
    status: int
    gas_id: int | None


def framed(text: bytes) -> bytes:
    """Return a text between STX and ETX, with its checksum."""
    frame = STX + text + ETX
    return frame + f"{checksum(frame):02X}".encode()


def checksum(frame: bytes) -> int:
    """Return the exclusive or of everything from STX to ETX, both included."""
    return reduce(xor, frame, 0)


def query(address: int) -> bytes:
    """Return the question for the data of one instrument."""
    return framed(f"DA{address:03d}".encode())


def answer_in(received: bytes) -> tuple[str, bytes] | None:
    """Return the text of the first whole frame, and what came after it; None: not whole yet.

    Raises:
        ValueError: the checksum is not that of the frame, or nothing so long can be an answer.

    """
    end = received.find(ETX)
    if end < 0 or len(received) < end + 3:
        if len(received) > LONGEST:
            raise ValueError(f"{len(received)} octets without an end")
        return None
    # Noise before a frame ends where the last STX stands.
    start = received.rfind(STX, 0, end)
    if start < 0:
        raise ValueError("an end without a beginning")
    frame, said = received[start : end + 1], received[end + 1 : end + 3]
    expected = f"{checksum(frame):02X}"
    if said.upper() != expected.encode():
        raise ValueError(f"checksum {said.decode(errors='replace')}, must be {expected}")
    return frame[1:-1].decode("ascii"), received[end + 3 :]


def reported(text: str) -> tuple[Reported, ...]:
    """Return the values of an answer.

    Raises:
        ValueError: it is no answer to a data query; says what is wrong with it.

    """
    head, *fields = text.split()
    match = HEAD.fullmatch(head)
    if match is None:
        raise ValueError(f"begins with {head[:8]!r}, must be MD and two digits")
    count = int(match[1])
    if not count:
        if fields:
            raise ValueError("says that it has no values, and has some")
        return ()
    size, rest = divmod(len(fields), count)
    if rest or size not in {WITHOUT_GAS, WITH_GAS}:
        raise ValueError(f"{len(fields)} fields are not those of {count} values")
    return tuple(_reported(fields[start : start + size]) for start in range(0, len(fields), size))


def _reported(fields: list[str]) -> Reported:
    instrument, number, status, failure, *rest = fields
    gas = rest[0] if len(fields) == WITH_GAS else None
    match = NUMBER.fullmatch(number)
    if match is None:
        raise ValueError(f"{number!r} is no number")
    for pattern, field in ((ID, instrument), (BYTE, status), (BYTE, failure), (ID, gas)):
        if field is not None and pattern.fullmatch(field) is None:
            raise ValueError(f"{field!r} does not fit")
    value = float(f"{match[1]}.{match[2]}e{match[3]}")
    return Reported(
        instrument=int(instrument),
        raw=struct.unpack("<q", struct.pack("<d", value))[0],
        status=int(status, 16) << 8 | int(failure, 16),
        gas_id=None if gas is None else int(gas),
    )
