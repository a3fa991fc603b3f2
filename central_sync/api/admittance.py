"""Who may ask for what over TLS: gateways show their certificate, and only to their own address.

Without TLS nothing is checked here: then only this machine can ask, or a proxy on it, and the
signatures of batches say who sent them.
"""

import asyncio
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, TypeAlias
from uuid import UUID

from starlette.types import ASGIApp, Receive, Scope, Send

from central_sync.api.peer import Peer, peer_of
from central_sync.api.problem import problem
from central_sync.api.uploads import answer
from central_sync.store.admission import Outcome, Refusal
from central_sync.store.port import NowNs, Store, StoreUnavailableError
from edge_agent.wire.refusal import Code

# What somebody without a certificate must reach: to get one, to renew one that is over, and to
# see whether we live. Each of these proves for itself who asks.
_OPEN: Final = re.compile(
    r"/v1/enrolments|/v1/nonces|/v1/gateways/[^/]+/(certificate|decommission)|/healthz"
)
_UPLOAD: Final = re.compile(r"/v1/gateways/([^/]+)/batches")
_FOR_UPLOADS: Final = "a gateway's certificate is good for its uploads only"
_DOCUMENT: Final = re.compile(r"/v1/(bundles|profiles)/[^/]+")

Fault: TypeAlias = tuple[HTTPStatus, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the settings say about it."""

    store: Store
    now_ns: NowNs
    is_open_to_readers: bool


class Admittance:
    """ASGI middleware: passes on what may be asked, and answers the rest with 401 or 403."""

    def __init__(self, app: ASGIApp, rules: Rules) -> None:
        self._app = app
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it."""
        if scope["type"] != "http" or scope["scheme"] != "https" or _OPEN.fullmatch(scope["path"]):
            await self._app(scope, receive, send)
            return
        fault = await self._fault(scope["path"], peer_of(scope))
        if fault is None:
            await self._app(scope, receive, send)
            return
        status, words = fault
        if _UPLOAD.fullmatch(scope["path"]):
            refusal = Refusal(status=403, code="key", frame=None, detail=words, check=Code.KEY)
            await answer(Outcome(refusal=refusal))(scope, receive, send)
        else:
            await problem(status, "certificate", words)(scope, receive, send)

    async def _fault(self, path: str, peer: Peer | None) -> Fault | None:
        """Return why this peer may not ask for this path, or None."""
        upload = _UPLOAD.fullmatch(path)
        is_of_gateways = upload is not None or _DOCUMENT.fullmatch(path) is not None
        if not is_of_gateways and self._rules.is_open_to_readers:
            return None
        if peer is None:
            return HTTPStatus.UNAUTHORIZED, "a client certificate is needed"
        if peer.expires_ns <= self._rules.now_ns():
            return HTTPStatus.FORBIDDEN, "the client certificate is over: renew it"
        if not is_of_gateways:
            return None if peer.gateway_id is None else (HTTPStatus.FORBIDDEN, _FOR_UPLOADS)
        if peer.gateway_id is None or (upload and upload[1] != str(peer.gateway_id)):
            return HTTPStatus.FORBIDDEN, "the client certificate is of another gateway"
        return await asyncio.to_thread(self._standing, peer, peer.gateway_id)

    def _standing(self, peer: Peer, gateway_id: UUID) -> Fault | None:
        """Return why a gateway's certificate does not count any more, or None."""
        store = self._rules.store
        try:
            issued, gateway = store.certificate(peer.serial), store.gateway(gateway_id)
        except StoreUnavailableError:
            return None  # what is asked for fails for the same reason, and says so
        if issued is not None and issued.revoked_ns is not None:
            return HTTPStatus.FORBIDDEN, "the client certificate was replaced by an enrolment"
        if gateway is None or gateway.revoked_ns is not None:
            return HTTPStatus.FORBIDDEN, f"gateway {gateway_id} is not registered, or was revoked"
        return None
