"""Delivers configuration bundles and the profile files they name, as the centre asks for them.

Nothing is remembered: a bundle that did not arrive is asked for again with the next answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

from edge_agent.wire.bundle import parse_bundle
from edge_agent.wire.refusal import RefusedError
from edge_agent.wire.vocabulary import Hash

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge_agent.uplink.exchange import Exchange
    from edge_agent.uplink.held import HeldT, Source

BUNDLE_TYPE: Final = "application/json"
PROFILE_TYPE: Final = "application/toml"

log = structlog.get_logger()


async def deliver_bundles(
    wanted: Iterable[Hash], source: Source[HeldT], exchange: Exchange, *, is_plain: bool
) -> None:
    """Send the wanted bundles as far as they are held, each before its profile files.

    Raises:
        NoAnswerError: the centre stopped answering; the rest is asked for again.

    """
    for config_hash in wanted:
        body = await source.bundle(config_hash)
        if body is None:
            log.error("bundle.missed", config_hash=config_hash.hex())
            continue
        reply = await exchange.send(
            "PUT",
            f"/v1/bundles/{config_hash.hex()}",
            body,
            media_type=BUNDLE_TYPE,
            is_plain=is_plain,
        )
        if reply.status >= 300:
            log.warning("bundle.refused", config_hash=config_hash.hex(), status=reply.status)
            continue
        log.info("bundle.delivered", config_hash=config_hash.hex(), size_bytes=len(body))
        await _deliver_profiles(body, source, exchange, is_plain=is_plain)


async def _deliver_profiles(
    bundle: bytes, source: Source[HeldT], exchange: Exchange, *, is_plain: bool
) -> None:
    try:
        profiles = parse_bundle(bundle).profiles
    except RefusedError as fault:
        log.exception("bundle.damaged", reason=str(fault))
        return
    for name, digest in profiles.items():
        body = await source.profile(Hash(bytes.fromhex(digest)))
        if body is None:
            log.warning("profile.missed", profile=name, profile_hash=digest)
            continue
        reply = await exchange.send(
            "PUT", f"/v1/profiles/{digest}", body, media_type=PROFILE_TYPE, is_plain=is_plain
        )
        if reply.status >= 300:
            log.warning("profile.refused", profile=name, status=reply.status)
