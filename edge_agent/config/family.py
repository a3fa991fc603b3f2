"""Profiles that extend a family: two tables made one, and which file a key was written in.

Pure. A family is a file of the same vendor whose name begins with '_'; it is no profile itself and
extends nothing. Tables are merged key by key, everything else of the model replaces the family's.
"""

from collections.abc import Iterator, Mapping

from edge_agent.config.structure import KeyPath, Misfit, did_you_mean

# What only a model can say.
OF_A_MODEL = ("id", "extends", "remove")


def family_misfits(family: Mapping[str, object]) -> Iterator[Misfit]:
    """Yield what a family may not say."""
    for key in OF_A_MODEL:
        if key in family:
            yield Misfit(
                path=(key,),
                message="a family is no model, and extends nothing",
                remedy=f"remove {key}, or give the file a name without '_'",
            )


def removal_misfits(model: Mapping[str, object], family: Mapping[str, object]) -> Iterator[Misfit]:
    """Yield removals of keys that the family does not have."""
    for index, dotted in enumerate(_removals(model)):
        table: object = family
        for step in dotted.split("."):
            known = table if isinstance(table, Mapping) else {}
            if step not in known:
                yield Misfit(
                    path=("remove", index),
                    message=f"the family has no {dotted}",
                    remedy=did_you_mean(step, map(str, known)),
                )
                break
            table = known[step]


def merged(model: Mapping[str, object], family: Mapping[str, object]) -> dict[str, object]:
    """Return the table of a model with what its family says and it does not remove or replace."""
    return _joined(_without(family, [one.split(".") for one in _removals(model)]), model)


def is_of_family(path: KeyPath, model: Mapping[str, object], family: Mapping[str, object]) -> bool:
    """Return whether a key was written in the file of the family, and not in that of the model."""
    return _depth(path, family) > _depth(path, model)


def _removals(model: Mapping[str, object]) -> list[str]:
    removals = model.get("remove")
    known = removals if isinstance(removals, list) else []
    return [one for one in known if isinstance(one, str)]


def _without(table: Mapping[str, object], removals: list[list[str]]) -> dict[str, object]:
    gone = {steps[0] for steps in removals if len(steps) == 1}
    kept = {}
    for key, value in table.items():
        inner = [steps[1:] for steps in removals if len(steps) > 1 and steps[0] == key]
        if key not in gone:
            kept[key] = _without(value, inner) if inner and isinstance(value, Mapping) else value
    return kept


def _joined(below: Mapping[str, object], above: Mapping[str, object]) -> dict[str, object]:
    joined = dict(below)
    for key, value in above.items():
        under = joined.get(key)
        if isinstance(value, Mapping) and isinstance(under, Mapping):
            joined[key] = _joined(under, value)
        else:
            joined[key] = value
    return joined


def _depth(path: KeyPath, table: object) -> int:
    """Return how many steps of a path are written in a table."""
    for depth, step in enumerate(path):
        match table:
            case dict() if step in table:
                table = table[step]
            case list() if isinstance(step, int) and step < len(table):
                table = table[step]
            case _:
                return depth
    return len(path)
