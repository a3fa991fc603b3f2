"""What a single field may hold, written beside its type and checked wherever the object is made.

Not rules between fields: those are in the constructors (within one object) and in `rules` (across
objects). A constraint never changes a value.
"""

import dataclasses
import re
from collections.abc import Sequence
from functools import cache
from typing import Annotated, Protocol, get_args, get_origin, get_type_hints


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong with one key of one object, in words, and what to write instead."""

    key: str
    message: str
    remedy: str


class FaultsError(ValueError):
    """An object that must not exist, with everything that is wrong with it."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(f"{one.key}: {one.message}" for one in faults))
        self.faults = tuple(faults)


class Constraint(Protocol):
    """A limit on one value, carried in `Annotated`."""

    def fault(self, key: str, value: object) -> Fault | None:
        """Return what is wrong with the value of this key, or None."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class Within:
    """A number between two limits, both allowed."""

    low: float
    high: float

    def fault(self, key: str, value: object) -> Fault | None:
        """Return the fault of a number outside the limits; NaN is outside."""
        if isinstance(value, int | float) and not self.low <= value <= self.high:
            return Fault(
                key=key,
                message=f"{value} is outside {self.low} to {self.high}",
                remedy=f"write a number from {self.low} to {self.high}",
            )
        return None


@dataclasses.dataclass(frozen=True, slots=True)
class Matching:
    """A text of a given form."""

    pattern: str
    words: str

    def fault(self, key: str, value: object) -> Fault | None:
        """Return the fault of a text of another form."""
        if isinstance(value, str) and re.fullmatch(self.pattern, value) is None:
            message = f"'{value}' is not {self.words}"
            return Fault(key=key, message=message, remedy=f"write {self.words}")
        return None


def constraints_of(hint: object) -> tuple[Constraint, ...]:
    """Return the constraints that a type hint carries; also those inside `X | None`."""
    found: list[Constraint] = []
    if get_origin(hint) is Annotated:
        found += [note for note in get_args(hint)[1:] if isinstance(note, Within | Matching)]
    else:
        for inner in get_args(hint):
            found += constraints_of(inner)
    return tuple(found)


def fault(key: str, message: str, remedy: str, *, when: bool) -> Fault | None:
    """Return a fault if it is one."""
    return Fault(key=key, message=message, remedy=remedy) if when else None


def refuse(*faults: Fault | None) -> None:
    """Raise `FaultsError` with the faults that are not None, if there are any."""
    present = [one for one in faults if one is not None]
    if present:
        raise FaultsError(present)


def field_faults(settings: object) -> tuple[Fault, ...]:
    """Return what is wrong with each field by itself.

    Called by the constructors, so that an object made in Python is held to the same limits as one
    read from a file.
    """
    settings_type: type = type(settings)
    found = (
        constraint.fault(key, getattr(settings, key))
        for key, constraint in _constraints_of_fields(settings_type)
    )
    return tuple(one for one in found if one is not None)


@cache
def _constraints_of_fields(settings_type: type) -> tuple[tuple[str, Constraint], ...]:
    hints = get_type_hints(settings_type, include_extras=True)
    return tuple((key, one) for key, hint in hints.items() for one in constraints_of(hint))
