"""Why somebody is not let in: a word that does not change, and a sentence for who reads it."""

from enum import StrEnum


class Reason(StrEnum):
    """What was wrong; the words are part of the interface."""

    REQUEST = "request"
    NONCE = "nonce"
    TOKEN_UNKNOWN = "token_unknown"  # noqa: S105 - a word of the interface
    TOKEN_EXPIRED = "token_expired"  # noqa: S105 - a word of the interface
    TOKEN_USED = "token_used"  # noqa: S105 - a word of the interface
    TOKEN_VOID = "token_void"  # noqa: S105 - a word of the interface
    OTHER_GATEWAY = "other_gateway"
    GATEWAY_REVOKED = "gateway_revoked"
    SIGNING_KEY = "signing_key"
    KEY_TAKEN = "key_taken"
    KEY_UNKNOWN = "key_unknown"
    KEY_REVOKED = "key_revoked"
    CSR = "csr"
    PROOF = "proof"
    NO_AUTHORITY = "no_authority"


class NotLetInError(Exception):
    """A request of a gateway, or of somebody who says so, that is not granted."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
