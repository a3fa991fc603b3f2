"""Why bytes were refused: one code of the verifier's table and one sentence.

It decides nothing about what follows a refusal: the status or verdict for each code stands in
docs/wire-format.md section 14, and the centre gives it.
"""

from enum import StrEnum


class Code(StrEnum):
    """The codes of a verifier, in the order of its checks (docs/wire-format.md section 14)."""

    FRAME = "frame"
    HEADER = "header"
    KEY = "key"
    SIGNATURE = "signature"
    CHAIN = "chain"
    ZSTD = "zstd"
    PAYLOAD = "payload"
    HEADSTONE = "headstone"
    PARTS = "parts"
    ARROW = "arrow"
    SCHEMA = "schema"
    SCANS = "scans"
    EVENT = "event"
    COUNT = "count"
    ROOT = "root"


class RefusedError(Exception):
    """These bytes break a rule of the wire format.

    Attributes:
        code: which kind of rule; closed set, safe to switch on.
        detail: where, what, what instead; for people, may change between releases.

    """

    code: Code
    detail: str

    def __init__(self, code: Code, detail: str) -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"
