"""What the plant served, and which of it each scan is: the comparison of two ends.

The plant writes one JSON line per answer; a poll counter in two registers, read as a channel like
any other, makes every answer identifiable. A channel map says which registers a channel is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from ewcheck.faults import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from ewcheck.rows import Row

NO_VALUE = 1 << 3  # wire-format section 7
Place: TypeAlias = tuple[str, int]  # table, address
Poll: TypeAlias = tuple[str, int]  # device, value of its poll counter


@dataclass(frozen=True, slots=True, kw_only=True)
class Registers:
    """Where a value stands in a device: consecutive words, or one bit of one word."""

    table: str
    address: int
    words: int = 1
    bit: int | None = None

    def raw(self, words: Mapping[Place, int]) -> int | None:
        """Return the `raw` of wire-format section 6, or None if it was not served."""
        value = 0
        for address in range(self.address, self.address + self.words):
            word = words.get((self.table, address))
            if word is None:
                return None
            value = value << 16 | word
        if self.bit is not None:
            return value >> self.bit & 1
        return value - (1 << 64) if self.words == 4 and value >> 63 else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One device of the plant: its channels, and the one that carries its poll counter."""

    name: str
    poll_channel: int
    channels: Mapping[int, Registers]
    statuses: Mapping[int, Registers]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One poll as it was served: when the answer was made, and its registers."""

    at_ns: int
    words: dict[Place, int]


def devices_of(path: Path) -> dict[int, Device]:
    """Return channel number -> device from a channel map (see `checker.py --help`)."""
    try:
        devices = []
        for entry in json.loads(path.read_text())["devices"]:
            channels, statuses = {}, {}
            for channel, described in entry["channels"].items():
                # The status of a channel stands beside its registers, not in them.
                if "status" in described:
                    statuses[int(channel)] = Registers(**described.pop("status"))
                channels[int(channel)] = Registers(**described)
            device = Device(
                name=entry["device"],
                poll_channel=entry["poll_channel"],
                channels=channels,
                statuses=statuses,
            )
            devices.append(device)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not a channel map: {error!r}") from error
    owners: dict[int, Device] = {}
    for device in devices:
        for channel in device.channels:
            if owners.setdefault(channel, device) is not device:
                raise InputError(f"{path}: channel {channel} of two devices")
    return owners


def served(paths: Iterable[Path]) -> dict[Poll, Answer]:
    """Return everything the plant served; a torn last line, not yet served, is left out."""
    answers: dict[Poll, Answer] = {}
    for path in paths:
        try:
            lines = path.read_bytes().split(b"\n")
        except OSError as error:
            raise InputError(f"{path}: {error}") from error
        for number, line in enumerate(lines[:-1], 1):
            try:
                _add(answers, json.loads(line))
            except (ValueError, KeyError, TypeError) as error:
                raise InputError(f"{path}:{number}: not an answer: {error!r}") from error
    return answers


def _add(answers: dict[Poll, Answer], line: Mapping[str, object]) -> None:
    """Add one line; several blocks of one poll make one answer, if they do not disagree."""
    device, poll, at_ns = str(line["device"]), line["poll"], line["at_ns"]
    registers, first = line["registers"], line.get("address", 0)
    table = str(line.get("table", "input"))
    if not (isinstance(poll, int) and isinstance(at_ns, int) and isinstance(first, int)):
        raise TypeError("poll, at_ns and address are integers")
    if not isinstance(registers, Sequence):
        raise TypeError("registers is a list")
    answer = answers.setdefault((device, poll), Answer(at_ns=at_ns, words={}))
    for address, word in enumerate(registers, first):
        if answer.words.setdefault((table, address), word) != word:
            raise ValueError(f"poll {poll} of {device} was served twice, differently")


def device_of(scan: Sequence[Row], owners: Mapping[int, Device]) -> Device | str:
    """Return the device whose channels a scan holds, or what is wrong."""
    device = owners.get(scan[0].channel)
    if device is None:
        return f"channel {scan[0].channel} belongs to no device of the plant"
    if any(row.channel not in device.channels for row in scan):
        return f"channels that {device.name} does not have"
    return device


def poll_number(scan: Sequence[Row], device: Device) -> int | None:
    """Return the poll counter that a scan holds; None if it holds none."""
    for row in scan:
        if row.channel == device.poll_channel and not row.quality & NO_VALUE:
            return row.raw
    return None


def difference(scan: Sequence[Row], device: Device, answer: Answer) -> str | None:
    """Return how a scan differs from what was served; None if it says exactly that."""
    for row in scan:
        raw = device.channels[row.channel].raw(answer.words)
        if raw is None:
            return f"channel {row.channel} was not served"
        if row.quality & NO_VALUE:
            return f"channel {row.channel} was served, and stored as no value"
        if row.raw != raw:
            return f"channel {row.channel} is {row.raw}, served was {raw}"
        source = device.statuses.get(row.channel)
        status = source.raw(answer.words) if source else None
        if status is not None and row.status != status:
            return f"status of channel {row.channel} is {row.status}, served was {status}"
    missing = {c for c, r in device.channels.items() if r.raw(answer.words) is not None} - {
        row.channel for row in scan
    }
    return f"without channels {sorted(missing)}, which were served" if missing else None
