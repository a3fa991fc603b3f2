"""Tables of a TOML file into settings objects, by cattrs: a text is never read as a number.

Everything that does not fit is found in one pass, each with the path of its key. Where a key names
a Python word (`class`), the field has an underscore behind it.
"""

import difflib
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from decimal import Decimal
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated, TypeAlias, TypeVar, Union, get_args, get_origin
from uuid import UUID

from cattrs import ClassValidationError, Converter, ForbiddenExtraKeysError, IterableValidationError
from cattrs.cols import homogenous_tuple_structure_factory, mapping_structure_factory
from cattrs.gen import make_dict_structure_fn, override

from edge_agent.config.constraint import FaultsError, constraints_of

Settings = TypeVar("Settings")
KeyPath: TypeAlias = tuple[str | int, ...]
Hook: TypeAlias = Callable[[object, object], object]

# What the bundle carries (edge_agent.wire.bundle), written without exponent.
LONGEST_NUMBER = 40
TYPE_WORDS = {str: "text", bool: "true or false", int: "a whole number", dict: "a table"}
TYPE_WORDS |= {float: "a number", Decimal: "a number", list: "a list"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Misfit:
    """One value that does not fit, or a key that is missing or unknown."""

    path: KeyPath
    message: str
    remedy: str


class MisfitError(ValueError):
    """A value that does not fit its key."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


def structure(
    table: Mapping[str, object], settings_type: type[Settings]
) -> tuple[Settings | None, tuple[Misfit, ...]]:
    """Return the settings that a table says, or None and everything that does not fit."""
    try:
        return _converter().structure(table, settings_type), ()
    except ClassValidationError as error:
        return None, tuple(_misfits(error, ()))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the remedy for a word that is not among the known ones."""
    choices = sorted(known)
    near = _nearest(word, choices)
    if near is not None:
        return f"Did you mean '{near}'?"
    return f"known: {', '.join(choices)}" if choices else "there is none"


def _nearest(word: str, choices: Sequence[str]) -> str | None:
    for hit in difflib.get_close_matches(word, choices, n=1):
        return hit
    lower = {choice.lower(): choice for choice in choices}  # difflib minds the case, people do not
    for hit in difflib.get_close_matches(word.lower(), lower, n=1):
        return lower[hit]
    return None


def _misfits(error: BaseException, path: KeyPath) -> Iterator[Misfit]:
    match error:
        case ClassValidationError() | IterableValidationError():
            for part in error.exceptions:
                yield from _misfits(part, (*path, *_step(part)))
        case ForbiddenExtraKeysError():
            known = _keys_of(error.cl)
            for key in sorted(error.extra_fields):
                remedy = did_you_mean(key, known)
                yield Misfit(path=(*path, key), message="unknown key", remedy=remedy)
        case _:
            yield from _leaves(error, path)


def _leaves(error: BaseException, path: KeyPath) -> Iterator[Misfit]:
    match error:
        case FaultsError():
            for fault in error.faults:
                yield Misfit(path=(*path, fault.key), message=fault.message, remedy=fault.remedy)
        case MisfitError():
            yield Misfit(path=path, message=error.message, remedy=error.remedy)
        case KeyError():
            yield Misfit(path=path, message="missing", remedy=f"add the key '{path[-1]}'")
        case _:
            raise error


def _step(error: BaseException) -> KeyPath:
    """Return the key or index that cattrs noted on an error as it passed."""
    for note in getattr(error, "__notes__", ()):
        if hasattr(note, "name"):
            return (str(note.name).removesuffix("_"),)
        if hasattr(note, "index"):
            return (note.index,)
    return ()


def _keys_of(settings_type: type) -> tuple[str, ...]:
    return tuple(field.name.removesuffix("_") for field in fields(settings_type))


def _refusal(value: object, wanted: type) -> MisfitError:
    words = TYPE_WORDS[wanted]
    found = TYPE_WORDS.get(type(value), type(value).__name__)
    shown = "" if isinstance(value, dict | list) else f" '{value}'"
    return MisfitError(f"expected {words}, found {found}{shown}", f"write {words}")


def _exactly(wanted: type) -> Hook:
    def hook(value: object, _: object) -> object:
        if type(value) is not wanted:
            raise _refusal(value, wanted)
        return value

    return hook


def _text(value: object, wanted: type[str]) -> str:
    """Return a text, or the member of a closed list of words: cattrs asks here for both."""
    if issubclass(wanted, StrEnum):
        return _word(value, wanted)
    if not isinstance(value, str):
        raise _refusal(value, str)
    return value


def _decimal(value: object, _: object) -> Decimal:
    """Return a number exactly as written: numbers with a point are read as Decimal (`reading`)."""
    if isinstance(value, str):
        try:
            value = Decimal(value)
        except ArithmeticError:
            raise _refusal(value, Decimal) from None
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise _refusal(value, Decimal)
    number = Decimal(value)
    if not number.is_finite():
        raise MisfitError(f"{number} is not a finite number", "write a number")
    if number.adjusted() > LONGEST_NUMBER or len(f"{number:f}") > LONGEST_NUMBER:
        raise MisfitError("the number is too long", f"at most {LONGEST_NUMBER} characters")
    return number


def _float(value: object, _: object) -> float:
    if isinstance(value, str):
        raise _refusal(value, float)
    return float(_decimal(value, None))


def _uuid(value: object, _: object) -> UUID:
    remedy = "write the gateway's UUID as 8-4-4-4-12 hexadecimal digits"
    if not isinstance(value, str):
        raise _refusal(value, str)
    try:
        return UUID(value)
    except ValueError:
        raise MisfitError(f"'{value}' is not a UUID", remedy) from None


def _path(value: object, _: object) -> Path:
    if not isinstance(value, str):
        raise _refusal(value, str)
    if not value:
        raise MisfitError("an empty path", "write the path of a file")
    return Path(value)


def _word(value: object, words: type[StrEnum]) -> StrEnum:
    known = [str(word.value) for word in words]
    if not isinstance(value, str):
        raise MisfitError(f"expected a word, found {value!r}", f"one of {', '.join(known)}")
    try:
        return words(value)
    except ValueError:
        message = f"'{value}' is not one of {', '.join(known)}"
        near = _nearest(value, known)
        remedy = f"Did you mean '{near}'?" if near else "write one of these"
        raise MisfitError(message, remedy) from None


def _object_hook(settings_type: type, converter: Converter) -> Hook:
    renamed = {
        field.name: override(rename=field.name.removesuffix("_"))
        for field in fields(settings_type)
        if field.name.endswith("_")
    }
    inner: Callable[[Mapping[str, object], object], object] = make_dict_structure_fn(
        settings_type,
        converter,
        _cattrs_forbid_extra_keys=True,
        _cattrs_detailed_validation=True,
        **renamed,  # type: ignore[arg-type]  # keyword by keyword an override, says its docstring
    )

    def hook(value: object, _: object) -> object:
        if not isinstance(value, dict):
            raise _refusal(value, dict)
        structured: object = inner(value, settings_type)
        return structured

    return hook


def _tuple_hook(hint: type, converter: Converter) -> Hook:
    inner: Hook = homogenous_tuple_structure_factory(hint, converter)

    def hook(value: object, _: object) -> object:
        if not isinstance(value, list):
            raise _refusal(value, list)
        return inner(value, hint)

    return hook


def _mapping_hook(hint: type, converter: Converter) -> Hook:
    inner: Callable[[Mapping[str, object], object], object] = mapping_structure_factory(
        hint, converter, dict, detailed_validation=True
    )

    def hook(value: object, _: object) -> object:
        if not isinstance(value, dict):
            raise _refusal(value, dict)
        structured: object = inner(value, hint)
        return structured

    return hook


def _constrained_hook(hint: type, converter: Converter) -> Hook:
    base = get_args(hint)[0]
    inner = converter.get_structure_hook(base)
    constraints = constraints_of(hint)

    def hook(value: object, _: object) -> object:
        plain: object = inner(value, base)
        for constraint in constraints:
            fault = constraint.fault("", plain)
            if fault is not None:
                raise MisfitError(fault.message, fault.remedy)
        return plain

    return hook


def _optional_hook(hint: object, converter: Converter) -> Hook:
    """Return the hook of `X | None`: a file cannot say None, only leave the key out."""
    (base,) = (inner for inner in get_args(hint) if inner is not types.NoneType)
    inner = converter.get_structure_hook(base)
    return lambda value, _: inner(value, base)


def _is_kind(kind: object) -> Callable[[object], bool]:
    return lambda hint: get_origin(hint) is kind


@cache
def _converter() -> Converter:
    converter = Converter(detailed_validation=True, forbid_extra_keys=True)
    converter.register_structure_hook(str, _text)
    converter.register_structure_hook(bool, _exactly(bool))
    converter.register_structure_hook(int, _exactly(int))
    converter.register_structure_hook(float, _float)
    converter.register_structure_hook(Decimal, _decimal)
    converter.register_structure_hook(UUID, _uuid)
    converter.register_structure_hook(Path, _path)
    for predicate, factory in (
        (is_dataclass, _object_hook),
        (_is_kind(tuple), _tuple_hook),
        (_is_kind(Mapping), _mapping_hook),
        (_is_kind(Annotated), _constrained_hook),
        (_is_kind(Union), _optional_hook),
        (_is_kind(types.UnionType), _optional_hook),
    ):
        converter.register_structure_hook_factory(predicate, factory)
    return converter
