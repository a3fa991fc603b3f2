"""What a decoder answers, as bytes and back: JSON, so that nothing it says can run anything."""

import json
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


def packed(body: Body) -> bytes:
    """Return what a body turned out to be as bytes."""
    if isinstance(body, Unread):
        raise TypeError("a decoder reads what it is given")
    kind = next(name for name, known in _KINDS.items() if isinstance(body, known))
    return json.dumps([kind, _CONVERTER.unstructure(body)], separators=(",", ":")).encode()


def unpacked(answer: bytes) -> Body:
    """Return what a decoder says of a body.

    Raises:
        GarbledAnswerError: it is nothing of that kind.

    """
    try:
        kind, fields = json.loads(answer)
        return _CONVERTER.structure(fields, _KINDS[kind])
    except (ValueError, KeyError, TypeError, AttributeError, cattrs.BaseValidationError) as fault:
        raise GarbledAnswerError(f"{type(fault).__name__}: {fault}") from fault


def _converter() -> cattrs.Converter:
    made = cattrs.Converter(forbid_extra_keys=True, detailed_validation=True)
    made.register_unstructure_hook(bytes, bytes.hex)
    made.register_structure_hook(bytes, lambda text, _: bytes.fromhex(text))
    made.register_unstructure_hook(UUID, str)
    made.register_structure_hook(UUID, lambda text, _: UUID(text))
    return made


_CONVERTER: Final = _converter()
