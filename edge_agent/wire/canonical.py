"""Canonical JSON: the one way to write an event or a bundle, so that its bytes can be signed.

The subset of RFC 8785 in docs/wire-format.md section 4: no fraction, no exponent, integers below
2^53 in size, keys of `[a-z][a-z0-9_]{0,31}`. What `canonical` returns, `parse_canonical` accepts,
and nothing else.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias

from edge_agent.wire.refusal import Code, RefusedError

JsonValue: TypeAlias = "str | int | bool | Sequence[JsonValue] | Mapping[str, JsonValue] | None"
"""What an event or a bundle may hold. No float: decimal numbers are strings."""

MAX_INTEGER: Final = 2**53 - 1
"""Larger integers are strings of decimal digits (docs/wire-format.md section 4)."""

MAX_DEPTH: Final = 32
"""Objects and arrays within one another at most (docs/wire-format.md section 4)."""

_KEY: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")


def canonical(value: JsonValue) -> bytes:
    """Return the canonical JSON of a value, UTF-8, without 0x0A.

    Raises:
        RefusedError: EVENT: the value holds what canonical JSON may not hold.

    """
    _check(value, depth=0)
    # Keys are ASCII, so that the order of code points is the order of RFC 8785 section 3.2.3.
    text = json.dumps(
        value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=dict
    )
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise RefusedError(Code.EVENT, "a string holds half a surrogate pair") from error


def parse_canonical(line: bytes) -> dict[str, JsonValue]:
    """Return the object written in a line of canonical JSON.

    Raises:
        RefusedError: EVENT: not JSON, not an object, or not in canonical form.

    """
    try:
        value = json.loads(line.decode())
    except (ValueError, RecursionError) as error:
        raise RefusedError(Code.EVENT, f"not canonical JSON: {error}") from error
    if not isinstance(value, dict):
        raise RefusedError(Code.EVENT, "must be an object")
    if canonical(value) != line:
        raise RefusedError(Code.EVENT, "differs from its canonical form")
    return value


def _check(value: object, *, depth: int) -> None:
    members: Iterable[object]
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str) or _KEY.fullmatch(key) is None:
                raise RefusedError(Code.EVENT, f"key {key!r} must match {_KEY.pattern}")
        members = value.values()
    elif isinstance(value, list | tuple):
        members = value
    else:
        _check_leaf(value)
        return
    if depth == MAX_DEPTH:
        raise RefusedError(Code.EVENT, f"nested deeper than {MAX_DEPTH}")
    for member in members:
        _check(member, depth=depth + 1)


def _check_leaf(value: object) -> None:
    if isinstance(value, int) and abs(value) > MAX_INTEGER:
        raise RefusedError(Code.EVENT, f"{value} must be a string of decimal digits")
    if not isinstance(value, str | int | None):
        raise RefusedError(Code.EVENT, f"{type(value).__name__} has no place in canonical JSON")
