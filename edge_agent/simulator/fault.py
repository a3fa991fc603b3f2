"""Which request meets which fault of a device: a pure function of seed, device and request.

The faults are those of real devices and lines; a test of the driver against worse ones is the
driver's own.
"""

from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from typing import Self


class Fault(StrEnum):
    """What can happen to a request.

    late: the answer comes after `LATE_S`, later than any sensible time-out.
    silent: no answer ever comes.
    busy: the device answers that it is busy (exception 6).
    drop: the device closes its connections instead of answering.
    """

    LATE = "late"
    SILENT = "silent"
    BUSY = "busy"
    DROP = "drop"


LATE_S = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRates:
    """How often each fault strikes, as fractions of all requests."""

    rates: tuple[tuple[Fault, float], ...] = ()

    def __post_init__(self) -> None:
        """Refuse rates that are not fractions of one whole."""
        if not all(rate >= 0.0 for _, rate in self.rates) or self._sum() > 1.0:
            raise ValueError("fault rates must be fractions from 0 to 1, together at most 1")

    def _sum(self) -> float:
        return sum(rate for _, rate in self.rates)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the rates of `late=0.01,drop=0.005`; ValueError says what is wrong."""
        rates = []
        for part in filter(None, text.split(",")):
            name, _, rate = part.partition("=")
            if name not in tuple(Fault):
                known = ", ".join(Fault)
                raise ValueError(f"'{name}' is no fault; there are {known}")
            try:
                rates.append((Fault(name), float(rate)))
            except ValueError as error:
                raise ValueError(
                    f"'{part}': write {name}=0.01, a fraction of all requests"
                ) from error
        return cls(rates=tuple(rates))

    def of(self, seed: int, device: str, request: int) -> Fault | None:
        """Return the fault that a request meets; None: it is answered properly."""
        digest = blake2b(f"{seed}/{device}/{request}".encode(), digest_size=8).digest()
        drawn = int.from_bytes(digest, "little") / 2**64
        for fault, rate in self.rates:
            if drawn < rate:
                return fault
            drawn -= rate
        return None
