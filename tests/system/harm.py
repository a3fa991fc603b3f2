"""What may happen to the bytes of a file: by a card that wears out, a cut, a lost block address."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from edge_agent.buffer import schema

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

Harm: TypeAlias = "Callable[[bytearray, random.Random], None]"


def _range(content: bytearray, chance: random.Random, most: int) -> slice:
    size = min(len(content), 1 + chance.randrange(most))
    at = chance.randrange(len(content) - size + 1)
    return slice(at, at + size)


def flip_bits(content: bytearray, chance: random.Random) -> None:
    """Flip single bits."""
    for _ in range(chance.choice((1, 1, 3, 20, 200))):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)


def zero_pages(content: bytearray, chance: random.Random) -> None:
    """Let some pages read as zeros."""
    for _ in range(chance.choice((1, 1, 2, 8, 64))):
        at = chance.randrange(len(content)) // schema.PAGE_BYTES * schema.PAGE_BYTES
        content[at : at + schema.PAGE_BYTES] = bytes(len(content[at : at + schema.PAGE_BYTES]))


def truncate(content: bytearray, chance: random.Random) -> None:
    """Cut the file."""
    del content[chance.randrange(len(content)) :]


def write_garbage(content: bytearray, chance: random.Random) -> None:
    """Write noise over a range."""
    part = _range(content, chance, chance.choice((64, 4096, 65_536)))
    content[part] = chance.randbytes(part.stop - part.start)


def swap_pages(content: bytearray, chance: random.Random) -> None:
    """Let two pages change places."""
    count = len(content) // schema.PAGE_BYTES
    for _ in range(chance.choice((1, 1, 4))):
        one, other = (
            slice(index * schema.PAGE_BYTES, (index + 1) * schema.PAGE_BYTES)
            for index in (chance.randrange(count), chance.randrange(count))
        )
        content[one], content[other] = content[other], content[one]


def overwrite(content: bytearray, chance: random.Random) -> None:
    """Write one part of the file over another, as a lost block address does."""
    source = _range(content, chance, 8192)
    part = content[source]
    at = chance.randrange(len(content) - len(part) + 1)
    content[at : at + len(part)] = part


def destroy_start(content: bytearray, chance: random.Random) -> None:
    """Let the beginning of the file be noise: header, schema, roots."""
    size = min(len(content), chance.choice((16, 100, 512, 8192)))
    content[:size] = chance.randbytes(size)


HARMS: tuple[Harm, ...] = (
    flip_bits,
    zero_pages,
    truncate,
    write_garbage,
    swap_pages,
    overwrite,
    destroy_start,
)
