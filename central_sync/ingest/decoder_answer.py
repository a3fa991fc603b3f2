"""What a decoder answers, as bytes and back: JSON, so that nothing it says can run anything."""

import json
from collections.abc import Iterable
from typing import Final
from uuid import UUID

import cattrs

from central_sync.store.admission import Body, Contents, Damaged, Unfit, Unread

_KINDS: Final[dict[str, type[Contents | Damaged | Unfit]]] = {
    "contents": Contents,
    "damaged": Damaged,
    "unfit": Unfit,
}


class GarbledAnswerError(Exception):
    """A decoder said something that no decoder says."""


def packed(bodies: Iterable[Body]) -> bytes:
    """Return what bodies turned out to be as bytes."""
    return json.dumps([_told(body) for body in bodies], separators=(",", ":")).encode()


def unpacked(answer: bytes, count: int) -> list[Body]:
    """Return what a decoder says of so many bodies.

    Raises:
        GarbledAnswerError: it is nothing of that kind.

    """
    try:
        told: list[Body] = [
            _CONVERTER.structure(fields, _KINDS[kind]) for kind, fields in json.loads(answer)
        ]
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        cattrs.ForbiddenExtraKeysError,
    ) as fault:
        raise GarbledAnswerError(f"{type(fault).__name__}: {fault}") from fault
    if len(told) != count:
        raise GarbledAnswerError(f"{len(told)} answers to {count} questions")
    return told


def _told(body: Body) -> tuple[str, object]:
    if isinstance(body, Unread):
        raise TypeError("a decoder reads what it is given")
    kind = next(name for name, known in _KINDS.items() if isinstance(body, known))
    return kind, _CONVERTER.unstructure(body)


def _converter() -> cattrs.Converter:
    made = cattrs.Converter(forbid_extra_keys=True, detailed_validation=False)
    made.register_unstructure_hook(bytes, bytes.hex)
    made.register_structure_hook(bytes, lambda text, _: bytes.fromhex(text))
    made.register_unstructure_hook(UUID, str)
    made.register_structure_hook(UUID, lambda text, _: UUID(text))
    return made


_CONVERTER: Final = _converter()
