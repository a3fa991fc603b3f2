"""Nonces that need no memory: each carries its time and our seal, and is good for ten minutes.

One that is used twice within that time does no harm: the same proof gets the same answer.
"""

import hmac
import secrets
from hashlib import sha256
from typing import Final

from central_sync.store.port import NowNs
from edge_agent.wire.enrolment import NONCE_SIZE

LIFE_NS: Final = 600 * 1_000_000_000
_TIME: Final = 8
_RANDOM: Final = 8


class Nonces:
    """Makes nonces and knows its own again; another process, or the next start, has others."""

    def __init__(self, now_ns: NowNs) -> None:
        self._now_ns = now_ns
        self._secret = secrets.token_bytes(32)

    def make(self) -> bytes:
        """Return a nonce, 32 bytes."""
        head = self._now_ns().to_bytes(_TIME, "big") + secrets.token_bytes(_RANDOM)
        return head + self._seal(head)

    def is_fresh(self, nonce: bytes) -> bool:
        """Return whether we made it, not too long ago."""
        head, seal = nonce[: _TIME + _RANDOM], nonce[_TIME + _RANDOM :]
        if not hmac.compare_digest(seal, self._seal(head)):
            return False
        age_ns = self._now_ns() - int.from_bytes(head[:_TIME], "big")
        return 0 <= age_ns <= LIFE_NS

    def _seal(self, head: bytes) -> bytes:
        return hmac.digest(self._secret, head, sha256)[: NONCE_SIZE - _TIME - _RANDOM]
