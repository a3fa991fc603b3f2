"""What the centre answers to a gateway that wants to be let in: read once, strictly."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Self, TypeVar
from uuid import UUID

from edge_agent.wire.enrolment import NONCE_SIZE

# A receipt key, an authority and a certificate are below 8 KiB together.
LARGEST_ANSWER_BYTES: Final = 64 * 1024

Read = TypeVar("Read")


class UnreadableAnswerError(Exception):
    """What came is no answer of a centre: a proxy's page, or another service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The centre understood and refused; `code` is a word that does not change."""

    status: int
    code: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Nonce:
    """Something to sign, and the centre's time, UTC ns."""

    nonce: bytes
    time_ns: int

    @classmethod
    def of(cls, fields: dict[str, object]) -> Self:
        """Return it from an answer."""
        nonce = bytes.fromhex(_text(fields, "nonce"))
        if len(nonce) != NONCE_SIZE:
            raise ValueError("nonce")
        return cls(nonce=nonce, time_ns=int(_text(fields, "time_ns")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """What a gateway is given; PEM. `certificate` and `trust` are None where others give them."""

    gateway: UUID
    facility: str
    name: str
    certificate: str | None
    trust: str | None
    receipt_keys: str

    @classmethod
    def of(cls, fields: dict[str, object]) -> Self:
        """Return it from an answer."""
        return cls(
            gateway=UUID(_text(fields, "gateway")),
            facility=_text(fields, "facility"),
            name=_text(fields, "name"),
            certificate=_text_or_none(fields, "certificate"),
            trust=_text_or_none(fields, "trust"),
            receipt_keys=_text(fields, "receipt_keys"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewed:
    """Another certificate, PEM."""

    certificate: str

    @classmethod
    def of(cls, fields: dict[str, object]) -> Self:
        """Return it from an answer."""
        return cls(certificate=_text(fields, "certificate"))


@dataclass(frozen=True, slots=True, kw_only=True)
class LetGo:
    """The centre takes nothing more from this gateway."""

    gateway: UUID

    @classmethod
    def of(cls, fields: dict[str, object]) -> Self:
        """Return it from an answer."""
        return cls(gateway=UUID(_text(fields, "gateway")))


def answer_of(
    status: int, body: bytes, read: Callable[[dict[str, object]], Read]
) -> Read | Refused:
    """Return what an HTTP response says.

    Raises:
        UnreadableAnswerError: nothing that a centre says.

    """
    try:
        fields = _object(json.loads(body))
        if status == 200:
            return read(fields)
        return Refused(
            status=status, code=_text(fields, "code"), detail=_text(fields, "detail")[:300]
        )
    except (ValueError, RecursionError) as fault:
        raise UnreadableAnswerError(f"status {status}, and no answer of a centre") from fault


def _object(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise ValueError("no object")  # noqa: TRY004 - the answer is wrong, not us
    return value


def _text(fields: dict[str, object], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        raise ValueError(name)  # noqa: TRY004 - the answer is wrong, not us
    return value


def _text_or_none(fields: dict[str, object], name: str) -> str | None:
    return None if fields.get(name) is None else _text(fields, name)
