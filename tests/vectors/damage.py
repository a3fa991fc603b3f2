"""One damaged vector: what it is made of, and what its code means to the sender."""

from dataclasses import dataclass
from typing import Final

from edge_agent.wire.refusal import Code
from tests.vectors.good import Document
from tests.vectors.pieces import Made

_STATUS: Final = {
    Code.FRAME: 400,
    Code.HEADER: 400,
    Code.KEY: 403,
    Code.SIGNATURE: 403,
    Code.CHAIN: 409,
    Code.ZSTD: 422,
    Code.PAYLOAD: 422,
    Code.HEADSTONE: 422,
}
"""docs/wire-format.md section 14; every other code is verdict 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """One damaged vector."""

    name: str
    code: Code
    frame: bytes
    why: str
    is_evidence: bool = False
    """Whether it gets verdict 1 although its code has a status of its own."""

    @property
    def document(self) -> Document:
        """The vector as JSON."""
        status = None if self.is_evidence else _STATUS.get(self.code)
        return {
            "why": self.why,
            "frame": self.frame.hex(),
            "code": self.code.value,
            "status": 200 if status is None else status,
            "verdict": 1 if status is None else None,
        }


def damage(code: Code, name: str, damaged: Made | bytes, why: str) -> Damage:
    """Return the vector of a damaged batch or frame, named after its code."""
    frame = damaged if isinstance(damaged, bytes) else damaged.frame
    return Damage(name=f"{code}_{name}", code=code, frame=frame, why=why)
