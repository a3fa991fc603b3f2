"""TOML files into tables, exactly: numbers with a point are Decimal, so that 0.1 is 0.1."""

import re
import tomllib
from dataclasses import dataclass
from decimal import Decimal
from importlib.resources.abc import Traversable
from pathlib import Path

from edge_agent.config.finding import Finding

# No file of ours comes near; what is larger was given by mistake.
LARGEST_FILE_BYTES = 4_194_304


@dataclass(frozen=True, slots=True, kw_only=True)
class TomlFile:
    """A well-formed TOML file: its name as shown to people, its bytes, its text and its table."""

    name: str
    content: bytes
    text: str
    table: dict[str, object]


def read_toml(path: Path | Traversable) -> TomlFile | Finding:
    """Return a TOML file, or why there is none."""
    name = str(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        return unreadable(name, error)
    if len(content) > LARGEST_FILE_BYTES:
        return _finding(name, f"{len(content)} bytes is no configuration", "check the path")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return _finding(name, "not UTF-8 text", "save the file as UTF-8", line)
    try:
        table = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        message, line = _message_and_line(str(error), text)
        return _finding(name, f"not TOML: {message}", "correct the line", line)
    return TomlFile(name=name, content=content, text=text, table=table)


def unreadable(name: str, fault: OSError) -> Finding:
    """Return that a file or folder cannot be read, and why."""
    reason = fault.strerror or str(fault)
    return _finding(name, f"cannot be read: {reason}", "check the path and the permissions")


def _finding(file: str, message: str, remedy: str, line: int | None = None) -> Finding:
    return Finding(file=file, path=(), message=message, remedy=remedy, line=line)


def _message_and_line(error: str, text: str) -> tuple[str, int]:
    """Return the message of tomllib in our style, and the line it names only in words."""
    match = re.fullmatch(r"(.*) \(at (?:line (\d+), column \d+|end of document)\)", error)
    if match is None:
        return error, 1
    message = match[1][:1].lower() + match[1][1:]
    return message, int(match[2]) if match[2] else text.count("\n") + 1
