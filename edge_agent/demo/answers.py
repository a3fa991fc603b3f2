"""What the demonstration reads of the product's JSON answers; keys it does not need are ignored."""

import json
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from cattrs import Converter

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """What `edge-agent init --json` prints."""

    gateway: UUID
    public_key: str
    receipt_key_file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """Part of the agent's status."""

    started_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Buffer:
    """Part of the agent's status."""

    readings: int
    unreceipted_readings: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """Part of the agent's status."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What the agent answers at /v1/status."""

    agent: Agent
    buffer: Buffer
    alarms: tuple[Alarm, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BufferInfo:
    """What `edge-agent buffer info --json` prints."""

    readings: int
    unreceipted_readings: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Part of the centre's fleet."""

    chain: UUID
    batch_no: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """Part of the centre's fleet."""

    id: UUID
    head: Head | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """What the centre answers at /v1/fleet/gateways."""

    gateways: tuple[Gateway, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """Part of an hourly value."""

    received: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hourly:
    """One hourly value."""

    value: str | None
    readings: Readings


@dataclass(frozen=True, slots=True, kw_only=True)
class HourlyPage:
    """What the centre answers at /v1/hourly."""

    values: tuple[Hourly, ...]


def answer_of(text: str, kind: type[T]) -> T:
    """Return a JSON answer as a value of this kind.

    Raises:
        ValueError: it is not JSON.

    """
    answer: T = _CONVERTER.structure(json.loads(text), kind)
    return answer


_CONVERTER = Converter()
_CONVERTER.register_structure_hook(UUID, lambda text, _: UUID(text))
