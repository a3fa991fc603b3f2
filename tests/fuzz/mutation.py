"""Ways to change bytes, numbers and JSON a little, so that what reads them is surprised.

Chance comes from the caller: the same seed makes the same inputs.
"""

from __future__ import annotations

import string
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

# Both sides of every limit that a field of 8 to 64 bits may have.
_POWERS: Final = (0, 1, 7, 8, 9, 10, 12, 15, 16, 20, 22, 24, 31, 32, 53, 62, 63, 64)
INTERESTING: Final = tuple(
    sorted({(1 << power) + off for power in _POWERS for off in (-2, -1, 0, 1, 2)} | {0, 65_535})
)
_LONGEST_PART: Final = 64


def flipped(content: bytes, chance: random.Random) -> bytes:
    """Return the bytes with one bit changed."""
    if not content:
        return content
    changed = bytearray(content)
    changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def overwritten(content: bytes, chance: random.Random) -> bytes:
    """Return the bytes with one number of 1 to 8 bytes in them replaced by a notable one."""
    size = chance.choice((1, 2, 4, 8))
    if len(content) < size:
        return flipped(content, chance)
    start = chance.randrange(len(content) - size + 1)
    return with_number(content, start, size, chance)


def with_number(content: bytes, start: int, size: int, chance: random.Random) -> bytes:
    """Return the bytes with the number at a place replaced by a notable one, or a near one."""
    if chance.random() < 0.5:
        number = chance.choice(INTERESTING)
    else:
        near = int.from_bytes(content[start : start + size], "little")
        number = near + chance.choice((-8, -4, -1, 1, 4, 8))
    written = (number % (1 << 8 * size)).to_bytes(size, "little")
    return content[:start] + written + content[start + size :]


def cut(content: bytes, chance: random.Random) -> bytes:
    """Return the bytes without a part in their middle, or their end."""
    start = chance.randrange(len(content) + 1)
    end = len(content) if chance.random() < 0.5 else start + chance.randrange(_LONGEST_PART)
    return content[:start] + content[end:]


def doubled(content: bytes, chance: random.Random) -> bytes:
    """Return the bytes with a part of them twice."""
    start = chance.randrange(len(content) + 1)
    end = start + chance.randrange(_LONGEST_PART)
    return content[:end] + content[start:end] + content[end:]


def filled(content: bytes, chance: random.Random) -> bytes:
    """Return the bytes with a part of them replaced by one byte, or by random ones."""
    start = chance.randrange(len(content) + 1)
    size = min(chance.randrange(_LONGEST_PART), len(content) - start)
    new = bytes([chance.choice((0, 0xFF, 0x80))]) * size
    if chance.random() < 0.5:
        new = chance.randbytes(size)
    return content[:start] + new + content[start + size :]


_MUTATORS: Final[tuple[Callable[[bytes, random.Random], bytes], ...]] = (
    flipped,
    flipped,
    overwritten,
    overwritten,
    overwritten,
    cut,
    doubled,
    filled,
)


def mutated(content: bytes, chance: random.Random, most: int = 4) -> bytes:
    """Return the bytes after one to `most` changes."""
    for _ in range(chance.randint(1, most)):
        content = chance.choice(_MUTATORS)(content, chance)
    return content


_WORDS: Final = ("", "0", "-0", "01", "-1", "9" * 19, "9" * 20, "\x00", "\ud7ff", "é", "a" * 70)


_LEAVES: Final[tuple[Callable[[random.Random], object], ...]] = (
    lambda _: None,
    lambda chance: chance.random() < 0.5,
    lambda chance: chance.choice(INTERESTING) * chance.choice((1, -1)),
    lambda chance: str(chance.choice(INTERESTING)),
    lambda chance: chance.choice(_WORDS),
    lambda chance: "".join(chance.choices(string.printable, k=chance.randrange(12))),
    lambda chance: chance.uniform(-1e9, 1e9),
)


def value(chance: random.Random, depth: int = 0) -> object:
    """Return a value of JSON, of any kind, seldom deep."""
    if depth == 3 or chance.random() < 0.8:
        return chance.choice(_LEAVES)(chance)
    members = [value(chance, depth + 1) for _ in range(chance.randrange(4))]
    return members if chance.random() < 0.5 else {key(chance): member for member in members}


def key(chance: random.Random) -> str:
    """Return a key of JSON, as a rule one that may stand in canonical JSON."""
    return chance.choice(("a", "a" * 32, "chain", "from_ns", "reason", "of", "x_1", "A", "", "é"))


def reshaped(tree: object, chance: random.Random) -> object:
    """Return a value of JSON with one member of it, or itself, changed."""
    is_within = chance.random() < 0.9
    if isinstance(tree, dict) and tree and is_within:
        return _reshaped_object(tree, chance)
    if isinstance(tree, list) and tree and is_within:
        return _reshaped_list(tree, chance)
    return value(chance)


def _reshaped_object(tree: dict[str, object], chance: random.Random) -> dict[str, object]:
    name = chance.choice(sorted(tree))
    match chance.randrange(5):
        case 0:
            return {other: member for other, member in tree.items() if other != name}
        case 1:
            return tree | {key(chance): value(chance)}
        case _:
            return tree | {name: reshaped(tree[name], chance)}


def _reshaped_list(tree: list[object], chance: random.Random) -> list[object]:
    place = chance.randrange(len(tree))
    match chance.randrange(4):
        case 0:
            return tree[:place] + tree[place + 1 :]
        case 1:
            return [*tree, *tree[place:]]
        case _:
            return [*tree[:place], reshaped(tree[place], chance), *tree[place + 1 :]]
