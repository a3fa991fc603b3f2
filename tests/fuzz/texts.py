"""Fuzz targets of texts: the centre's answer, the bundle, and profiles."""

from __future__ import annotations

import json
import tomllib
from contextlib import suppress
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge_agent.config.finding import problems_of
from edge_agent.config.profile_file import BadProfile, load_profile
from edge_agent.uplink.answer import parse_answer
from edge_agent.wire.bundle import parse_bundle
from edge_agent.wire.canonical import parse_canonical
from edge_agent.wire.refusal import RefusedError
from tests.fuzz.mutation import mutated, reshaped
from tests.fuzz.target import Target
from tests.vectors.pieces import BUNDLE

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping

ANSWERS: Final[tuple[dict[str, object], ...]] = (
    {
        "receipts": ["A" * 248, ""],
        "head": {"chain": "0" * 32, "batch_no": 7, "batch_hash": "ab" * 32},
        "wanted": [{"chain": "0" * 32, "batch_no": 3, "batch_hash": "cd" * 32}],
        "wanted_bundles": ["ef" * 32],
        "error": None,
    },
    {
        "receipts": [],
        "error": {
            "code": "gap",
            "frame": 1,
            "detail": "x",
            "expected": {"chain": "0" * 32, "batch_no": 3},
        },
    },
)
PROFILES: Final = Path(str(files("firmware_profiles")))


def answer() -> Target:
    """Return the target of the centre's answer, which is never an error to read."""

    def make(chance: random.Random) -> bytes:
        text = json.dumps(reshaped(chance.choice(ANSWERS), chance)).encode()
        return mutated(text, chance, 1) if chance.random() < 0.2 else text

    def run(content: bytes) -> bool:
        return parse_answer(200, content).is_readable

    return Target(make=make, run=run)


def bundle() -> Target:
    """Return the target of a configuration bundle."""
    tree = json.loads(BUNDLE)

    def make(chance: random.Random) -> bytes:
        if chance.random() < 0.3:
            return mutated(BUNDLE, chance, 1)
        changed = reshaped(tree, chance)
        return json.dumps(
            changed, ensure_ascii=False, sort_keys=True, separators=(",", ":")
        ).encode(errors="replace")

    def run(content: bytes) -> bool:
        try:
            parse_canonical(content)
        except RefusedError:
            is_canonical = False
        else:
            is_canonical = True
        with suppress(RefusedError):
            if parse_bundle(content).pack() != content:
                raise ValueError("a bundle that is accepted is written otherwise")
        return is_canonical

    return Target(make=make, run=run)


class _Text:
    """Bytes where a file is read from."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def __str__(self) -> str:
        return "profile.toml"

    def read_bytes(self) -> bytes:
        """Return them."""
        return self._content


def profile() -> Target:
    """Return the target of a profile file, and of what is told about a bad one."""
    texts = [path.read_bytes() for path in sorted(PROFILES.glob("*/[!_]*.toml"))]
    families = {f"{path.parent.name}/{path.stem}": path for path in PROFILES.glob("*/_*.toml")}
    make = toml_maker(texts)

    def run(content: bytes) -> bool:
        found = load_profile(_Text(content), None, families=families)  # type: ignore[arg-type]  # it is only read and named
        if isinstance(found, BadProfile):
            problems_of(found.findings, found.texts)
        return is_toml(content)

    return Target(make=make, run=run)


def is_toml(content: bytes) -> bool:
    """Return whether these bytes are TOML."""
    try:
        tomllib.loads(content.decode())
    except ValueError:
        return False
    return True


def toml_maker(texts: list[bytes]) -> Callable[[random.Random], bytes]:
    """Return a maker of TOML files: one of these, a value of it changed, or its text."""
    trees = [tomllib.loads(text.decode(), parse_float=Decimal) for text in texts]

    def make(chance: random.Random) -> bytes:
        place = chance.randrange(len(texts))
        if chance.random() < 0.2:
            return mutated(texts[place], chance, 2)
        if chance.random() < 0.3:
            lines = texts[place].splitlines(keepends=True)
            lines[chance.randrange(len(lines))] = chance.choice(lines)
            return b"".join(lines)
        changed = reshaped(trees[place], chance)
        return written(changed if isinstance(changed, dict) else {"it": changed})

    return make


def written(table: Mapping[str, object]) -> bytes:
    """Return a table as TOML, a line to a key; what TOML has no word for is left out."""
    lines = (
        f"{_text(name)} = {_written(member)}\n"
        for name, member in table.items()
        if member is not None
    )
    return "".join(lines).encode(errors="replace")


def _written(member: object) -> str:
    match member:
        case bool():
            return "true" if member else "false"
        case str():
            return _text(member)
        case dict():
            inner = ", ".join(
                f"{_text(str(name))} = {_written(one)}"
                for name, one in member.items()
                if one is not None
            )
            return "{" + inner + "}"
        case list():
            return "[" + ", ".join(_written(one) for one in member if one is not None) + "]"
        case _:
            return str(member)


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=True).replace("\\ud", "\\u0d")
