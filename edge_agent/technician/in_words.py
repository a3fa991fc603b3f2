"""What commands tell people where `--json` gives machines the same facts: moments as UTC."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from edge_agent.clock import NS_PER_S

SUFFIX: Final = "_ns"
LENGTHS: Final = frozenset(("skew_ns",))
"""Facts in nanoseconds that are no moment."""


def in_words(status: Mapping[str, object]) -> str:
    """Return a status: a line for each fact, indented below the part that it is of."""
    lines: list[str] = []
    for part, facts in status.items():
        match facts:
            case dict():
                lines += [part, *(f"  {line}" for line in told(facts))]
            case list():
                lines += [f"{part}: {len(facts)}", *(f"  {_fact(part, each)}" for each in facts)]
            case _:
                lines += told({part: facts})
    return "\n".join(lines)


def told(facts: Mapping[str, object]) -> Iterator[str]:
    """Yield `name: fact` for each."""
    for name, fact in facts.items():
        yield f"{_name(name)}: {_fact(name, fact)}"


def _name(name: str) -> str:
    return name.removesuffix(SUFFIX)


def _fact(name: str, fact: object) -> str:
    match fact:
        case bool():
            return "yes" if fact else "no"
        case int() if name.endswith(SUFFIX):
            return _time(name, fact)
        case float():
            return f"{fact:.4g}"
        case dict():
            there = {key: each for key, each in fact.items() if each is not None}
            return ", ".join(f"{_name(key)} {_fact(key, each)}" for key, each in there.items())
        case list():
            return ", ".join(_fact(name, each) for each in fact) or "none"
    return "none" if fact is None else str(fact) or "none"


def _time(name: str, value_ns: int) -> str:
    if name in LENGTHS:
        return f"{value_ns / NS_PER_S:.3f} s"
    return f"{datetime.fromtimestamp(value_ns // NS_PER_S, UTC):%Y-%m-%d %H:%M:%SZ}"
