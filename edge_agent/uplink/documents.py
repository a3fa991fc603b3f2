"""Brings configuration bundles and the profile files they name, as the centre asks for them.

A bundle that did not arrive is asked for again with the next answer. Profile files are not: they
follow their bundle, and once after each start those of the present configuration.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic

import structlog

from edge_agent.uplink.held import HeldT
from edge_agent.wire.bundle import profile_hashes
from edge_agent.wire.refusal import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge_agent.uplink.exchange import Exchange
    from edge_agent.uplink.held import Source
    from edge_agent.wire.document import Document
    from edge_agent.wire.vocabulary import Hash

BUNDLE_TYPE: Final = "application/json"
PROFILE_TYPE: Final = "application/toml"

log = structlog.get_logger()


class Documents(Generic[HeldT]):
    """What was offered, and whose profile files are still owed."""

    def __init__(self, source: Source[HeldT], exchange: Exchange) -> None:
        self._source = source
        self._exchange = exchange
        self._offered: set[Hash] = set()
        self._refused: set[Hash] = set()
        self._owed: set[Hash] = set()
        self._is_first = True

    def interval_began(self) -> None:
        """Offer again what the centre refused and still wants."""
        self._offered.clear()

    async def deliver(self, wanted: Iterable[Hash], *, is_plain: bool) -> None:
        """Send the wanted bundles, each once per interval, and the profile files that are owed.

        Raises:
            NoAnswerError: the centre stopped answering; what is left is sent another time.

        """
        if self._is_first and self._source.head is not None:
            self._owed.add(self._source.head.header.config_hash)
            self._is_first = False
        missing = set(wanted)
        for config_hash in sorted(missing - self._offered):
            self._offered.add(config_hash)
            if await self._deliver_bundle(config_hash, is_plain=is_plain):
                missing.discard(config_hash)
                self._owed.add(config_hash)
        for config_hash in sorted(self._owed - missing):
            await self._deliver_profiles(config_hash, is_plain=is_plain)
            self._owed.discard(config_hash)

    async def _deliver_bundle(self, config_hash: Hash, *, is_plain: bool) -> bool:
        bundle = await self._sent("bundles", config_hash, BUNDLE_TYPE, is_plain=is_plain)
        if bundle is not None:
            log.info("bundle.delivered", config_hash=config_hash.hex(), size_bytes=bundle.size)
        return bundle is not None

    async def _deliver_profiles(self, config_hash: Hash, *, is_plain: bool) -> None:
        bundle = await self._source.document(config_hash)
        for digest in () if bundle is None else _profile_hashes(bundle):
            await self._sent("profiles", digest, PROFILE_TYPE, is_plain=is_plain)

    async def _sent(
        self, kind: str, digest: Hash, media_type: str, *, is_plain: bool
    ) -> Document | None:
        """Return a document that the centre has taken; None when it has not, which is told."""
        document = await self._source.document(digest)
        if document is None:
            self._tell_refused(digest, "this gateway does not hold it")
            return None
        reply = await self._exchange.send_document(
            f"/v1/{kind}/{digest.hex()}", document, media_type=media_type, is_plain=is_plain
        )
        if not 200 <= reply.status < 300:
            self._tell_refused(digest, f"the centre answered {reply.status}")
            return None
        return document

    def _tell_refused(self, digest: Hash, reason: str) -> None:
        """Log once per document what the centre asks for in vain."""
        if digest not in self._refused:
            self._refused.add(digest)
            log.error("document.refused", sha256=digest.hex(), reason=reason)


def _profile_hashes(bundle: Document) -> tuple[Hash, ...]:
    """Return the hashes of the profile files that a bundle names, each once."""
    try:
        return profile_hashes(bundle.pieces())
    except RefusedError as fault:
        log.warning("bundle.unreadable", reason=str(fault))
        return ()
