"""What the centre answers to an upload: read once, strictly, at the boundary.

An answer that breaks its form anywhere is not ours as a whole: only its status is believed.
"""

import json
from base64 import b64decode
from binascii import Error as BadBase64Error
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from edge_agent.wire.vocabulary import Hash

# docs/wire-format.md section 12: at most 256 frames in a request, 256 wanted batches in an answer.
LARGEST_LIST: Final = 256
# 256 receipts of 185 bytes in base64 and 256 wanted batches stay below 128 KiB.
LARGEST_ANSWER_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A number in a chain."""

    chain_id: UUID
    batch_no: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A batch that the centre lacks, and knows of because it has the one behind it."""

    place: Place
    batch_hash: Hash


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why the centre stopped at a frame."""

    code: str
    frame: int | None
    """Index of the refused frame in the request; None where no frame is to blame."""
    expected: Place | None
    """Where to resend from; given with the code `gap`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer to one upload."""

    status: int
    is_readable: bool
    """Whether the body was an answer of this protocol; a proxy's error page is not."""
    receipts: tuple[bytes, ...] = ()
    wanted: tuple[Wanted, ...] = ()
    wanted_bundles: tuple[Hash, ...] = ()
    refusal: Refusal | None = None


def parse_answer(status: int, body: bytes) -> Answer:
    """Return the answer in an HTTP response; unreadable, but never an error, where it is not one.

    Source: docs/wire-format.md section 12.
    """
    try:
        fields = _object(json.loads(body))
        return Answer(
            status=status,
            is_readable=True,
            receipts=tuple(_base64(text) for text in _list(fields, "receipts")),
            wanted=tuple(_wanted(one) for one in _list(fields, "wanted")),
            wanted_bundles=tuple(_hash(one) for one in _list(fields, "wanted_bundles")),
            refusal=_refusal(fields.get("error")),
        )
    except (ValueError, RecursionError):
        return Answer(status=status, is_readable=False)


def _refusal(error: object) -> Refusal | None:
    if error is None:
        return None
    fields = _object(error)
    frame = fields.get("frame")
    expected = fields.get("expected")
    return Refusal(
        code=_text(fields.get("code")),
        frame=None if frame is None else _count(frame),
        expected=None if expected is None else _place(expected),
    )


def _wanted(value: object) -> Wanted:
    return Wanted(place=_place(value), batch_hash=_hash(_object(value).get("batch_hash")))


def _place(value: object) -> Place:
    fields = _object(value)
    return Place(chain_id=UUID(_text(fields.get("chain"))), batch_no=_count(fields.get("batch_no")))


def _object(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004 - one family of error: not an answer
    return value


def _list(fields: dict[str, object], key: str) -> list[object]:
    value = fields.get(key, [])
    if not isinstance(value, list) or len(value) > LARGEST_LIST:
        raise ValueError(f"{key} is no list of at most {LARGEST_LIST}")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("not text")  # noqa: TRY004 - one family of error: not an answer
    return value


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
        raise ValueError("not a count")
    return value


def _hash(value: object) -> Hash:
    raw = bytes.fromhex(_text(value))
    if len(raw) != 32:
        raise ValueError("not a SHA-256")
    return Hash(raw)


def _base64(value: object) -> bytes:
    try:
        return b64decode(_text(value), validate=True)
    except BadBase64Error as fault:
        raise ValueError("not base64") from fault
