"""Files with mistakes, read as far as they are good, so that one run can show every problem.

What is mended here is only looked at by further rules; it never runs.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from edge_agent.config.structure import KeyPath, Misfit, structure

Settings = TypeVar("Settings")
# For each list that lost elements, the indices in the file of those that stayed.
Kept: TypeAlias = Mapping[KeyPath, tuple[int, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mended(Generic[Settings]):
    """Settings, or what is left of them without the misfits; None where too much is missing.

    `kept` names the list elements that stayed, where some did not.
    """

    settings: Settings | None
    misfits: tuple[Misfit, ...]
    kept: Kept


def as_written(path: KeyPath, kept: Kept) -> KeyPath:
    """Return the path in the file of a path in the settings that were read from it."""
    written: KeyPath = ()
    for step in path:
        indices = kept.get(written)
        written = (*written, indices[step] if indices and isinstance(step, int) else step)
    return written


def mended(table: Mapping[str, object], settings_type: type[Settings]) -> Mended[Settings]:
    """Return the settings in a table; where something does not fit, what is left without it."""
    settings, misfits = structure(table, settings_type)
    kept: dict[KeyPath, tuple[int, ...]] = {}
    if settings is None:
        rest = _without(table, {misfit.path for misfit in misfits}, (), kept)
        if isinstance(rest, dict):
            settings, _ = structure(rest, settings_type)
    return Mended(settings=settings, misfits=misfits, kept=kept)


def _without(
    value: object,
    bad: Collection[KeyPath],
    path: KeyPath,
    kept: dict[KeyPath, tuple[int, ...]],
) -> object:
    """Return a value without the keys that are bad and the list elements that hold one."""
    if isinstance(value, Mapping):
        return {
            key: _without(inner, bad, (*path, key), kept)
            for key, inner in value.items()
            if (*path, key) not in bad
        }
    if isinstance(value, list):
        places = [(*path, index) for index in range(len(value))]
        good = [
            index
            for index, place in enumerate(places)
            if not any(one[: len(place)] == place for one in bad)
        ]
        if len(good) < len(value):
            kept[path] = tuple(good)
        return [_without(value[index], bad, places[index], kept) for index in good]
    return value
