"""The enrolment code that somebody brings from the centre: a token, and the pin of the centre.

It comes in a file, over standard input or from a prompt; never as an argument, which every user of
the machine could read.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge_agent.errors import ExitCode, OperatorError
from edge_agent.wire.enrolment import pin_of, token_of

STANDARD_INPUT: Final = "-"
LONGEST_CODE: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A token, and the pin where one was given."""

    token: bytes
    pin: bytes | None


def code_from(source: str | None, pin: str | None, *, needs_pin: bool) -> Code:
    """Return the code.

    Args:
        source: file with it, `-` for standard input; None: ask.
        pin: given as an argument: it is no secret.
        needs_pin: whether to ask for the pin too, where none was given.

    Raises:
        OperatorError: there is none, or it is mistyped.

    """
    words = _asked(needs_pin=needs_pin and pin is None) if source is None else _read(source)
    if pin is not None:
        words["pin"] = pin
    token = _typed(token_of, words.get("token", ""), "token")
    typed = words.get("pin")
    return Code(token=token, pin=None if not typed else _typed(pin_of, typed, "pin"))


def _asked(*, needs_pin: bool) -> dict[str, str]:
    if not sys.stdin.isatty():
        raise OperatorError(
            "no token: --token FILE, or --token - for standard input", exit_code=ExitCode.USAGE
        )
    words = {"token": input("token: ")}
    if needs_pin:
        words["pin"] = input("pin of the centre: ")
    return words


def _read(source: str) -> dict[str, str]:
    """Return the words of a file as `central-sync gateway token` writes it, or a bare token."""
    try:
        if source == STANDARD_INPUT:
            text = sys.stdin.read(LONGEST_CODE)
        else:
            text = Path(source).read_text(encoding="utf-8")[:LONGEST_CODE]
    except (OSError, UnicodeDecodeError) as fault:
        reason = fault.strerror if isinstance(fault, OSError) else "is no text"
        raise OperatorError(f"{source}: {reason}", exit_code=ExitCode.CONFIGURATION) from fault
    lines = [line.partition(" ") for line in text.splitlines() if line.strip()]
    if len(lines) == 1 and not lines[0][2].strip():
        return {"token": lines[0][0]}
    return {name: rest for name, _, rest in lines}


def _typed(read: Callable[[str], bytes], text: str, name: str) -> bytes:
    try:
        return read(text)
    except ValueError as fault:
        raise OperatorError(f"{name}: {fault}", exit_code=ExitCode.USAGE) from fault
