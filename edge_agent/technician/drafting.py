"""The file of a device as text: made new from what a technician said, or with confirmations added.

Pure. Comments and order of a file that people wrote stay as they are.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT, Item, Table

from edge_agent.config.location import key_lines, line_of
from edge_agent.config.vocabulary import ConfirmedKey
from edge_agent.errors import ExitCode, OperatorError

# The keys of a channel that are numbers; all others are texts.
NUMBERS: Final = ("span", "resolution", "zero_reference", "span_reference")
TEXTS: Final = ("name", "facility", "parameter", "unit_of_measure")
# A text of a confirmation has at most so many characters (config.device_model.Name).
LONGEST: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """What a technician stands for, as it is written into the file of the device."""

    what: ConfirmedKey
    channels: tuple[int, ...]
    who: str
    at: str
    how: str

    @property
    def table(self) -> dict[str, object]:
        """The table of `[[confirmations]]`."""
        told: dict[str, object] = {"what": str(self.what)}
        if self.channels:
            told["channels"] = list(self.channels)
        return {**told, "who": self.who, "at": self.at, "how": self.how[:LONGEST].strip()}


def channel_of(word: str) -> dict[str, object]:
    """Return the keys of a channel out of POINT[,KEY=VALUE]...

    Raises:
        OperatorError: there is no such key, or no number where one must be.

    """
    point, *pairs = (part.strip() for part in word.split(","))
    keys: dict[str, object] = {"point": point}
    for pair in pairs:
        key, _, text = pair.partition("=")
        value = text if key in TEXTS else _number(text) if key in NUMBERS else None
        if value is None:
            known = ", ".join((*TEXTS, *NUMBERS))
            raise OperatorError(
                f"--channel {word}: write POINT,KEY=VALUE,... with the keys {known}",
                exit_code=ExitCode.USAGE,
            )
        keys[key] = value
    return keys


def _number(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def numbered(
    channels: Sequence[Mapping[str, object]], device: str, first: int
) -> list[dict[str, object]]:
    """Return channels with numbers from `first` on, and with names where they have none."""
    return [
        {
            "number": number,
            "point": channel["point"],
            "name": f"{device} {channel['point']}",
            **channel,
        }
        for number, channel in enumerate(channels, first)
    ]


def device_text(keys: Mapping[str, object], confirmations: Sequence[Stated]) -> str:
    """Return the file of a new device.

    Args:
        keys: as the file has them, channels with their numbers among them.
        confirmations: what a technician stands for.

    """
    document = tomlkit.document()
    document.add(tomlkit.comment("Made by `edge-agent device add`; yours to edit. What each key"))
    document.add(tomlkit.comment("means: docs/configuration.md section 3."))
    document.add(tomlkit.nl())
    for key, value in keys.items():
        if not isinstance(value, dict | list):
            document.add(key, _value(value))
    for key, value in keys.items():
        if isinstance(value, dict):
            document.add(key, _table(value))
    document.add("channels", _tables(list(_tables_of(keys.get("channels")))))
    if confirmations:
        document.add("confirmations", _tables([one.table for one in confirmations]))
    return tomlkit.dumps(document)


def confirmed_text(text: str, settled: Mapping[str, str], confirmations: Sequence[Stated]) -> str:
    """Return the file of a device with confirmations added, and keys that they settle.

    Args:
        text: the file as it is.
        settled: keys of the device that are known now, such as word_order.
        confirmations: what a technician stands for.

    Raises:
        OperatorError: the file is no TOML.

    """
    try:
        document = tomlkit.parse(text)
    except TOMLKitError as error:
        raise OperatorError(
            f"the file of the device is not TOML: {error}", exit_code=ExitCode.CONFIGURATION
        ) from error
    for key, value in settled.items():
        if key in document:
            document[key] = value
        else:
            document = tomlkit.parse(_with_key(tomlkit.dumps(document), key, value))
    present = document.get("confirmations")
    array = present if isinstance(present, AoT) else tomlkit.aot()
    if len(array) and confirmations:
        array[-1].add(tomlkit.nl())
    for one in confirmations:
        array.append(_table(one.table))
    if array is not present and confirmations:
        document["confirmations"] = array
    return tomlkit.dumps(document)


def _with_key(text: str, key: str, value: str) -> str:
    """Return a file of a device with one more key, behind the endpoint: before every table."""
    lines = text.splitlines(keepends=True)
    at = line_of(key_lines(text), ("endpoint",)) or 0
    return "".join([*lines[:at], f'{key} = "{value}"\n', *lines[at:]])


def _tables_of(value: object) -> Iterator[Mapping[str, object]]:
    if isinstance(value, list):
        yield from (one for one in value if isinstance(one, dict))


def _tables(tables: Sequence[Mapping[str, object]]) -> AoT:
    array = tomlkit.aot()
    for one in tables:
        array.append(_table(one))
    return array


def _table(keys: Mapping[str, object]) -> Table:
    table = tomlkit.table()
    for key, value in keys.items():
        table.add(key, _table(value) if isinstance(value, dict) else _value(value))
    return table


def _value(value: object) -> Item:
    """Return a value as it is written; a decimal number digit for digit."""
    return tomlkit.value(f"{value:f}") if isinstance(value, Decimal) else tomlkit.item(value)
