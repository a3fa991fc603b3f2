"""Keeps the gateway's TLS certificate good while the agent runs.

After two thirds of its life, and also when it is over: then the signing key alone says who asks,
so that no outage is long enough to shut a gateway out. The connection for it shows no certificate.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Final, Never

import structlog

from edge_agent.clock import NS_PER_S, UNSET, Clock
from edge_agent.config.model import AgentFile
from edge_agent.enrol.answers import (
    Nonce,
    Refused,
    Renewed,
    UnreadableAnswerError,
    answer_of,
)
from edge_agent.enrol.requests import NONCES, certificate_path, renewal
from edge_agent.errors import OperatorError
from edge_agent.identity import NextKey, credentials_folder, load_signing_key
from edge_agent.identity.tls import TlsIdentity
from edge_agent.uplink.exchange import Exchange, NoAnswerError, open_exchange
from edge_agent.uplink.policy import hold_s
from edge_agent.wire.signing import SigningKey

# The wall clock may be set, and the file changed by a command, at any time: both are looked at
# again so often, in seconds.
LOOK_S: Final = 60.0
# After two thirds of its life, and up to so much of it later: not all gateways at once.
DUE_AFTER: Final = 2 / 3
JITTER: Final = 0.1
MEDIA_TYPE: Final = "application/json"
KEY_UNKNOWN: Final = "key_unknown"

log = structlog.get_logger()


class NotRenewedError(Exception):
    """There is no other certificate; why, for the log."""


class Renewal:
    """Renews one certificate file; `renewed` is called when it holds another certificate."""

    def __init__(
        self,
        settings: AgentFile,
        renewed: Callable[[], None],
        *,
        clock: Clock,
        fraction: Callable[[], float],
    ) -> None:
        if settings.centre.certificate_file is None:
            raise ValueError("there is no file to renew")
        self._path = settings.centre.certificate_file
        self._centre = settings.centre
        self._gateway_id = settings.gateway.id
        self._keys = NextKey(key_file=settings.gateway.key_file)
        self._renewed = renewed
        self._clock = clock
        self._fraction = fraction
        self._share = DUE_AFTER + JITTER * fraction()
        self._told = ""
        self._seen: tuple[int, int] | None = self._mark()

    async def keep(self) -> Never:
        """Renew whenever it is due, for ever; a failure is logged once and tried again."""
        while True:
            wait_s = LOOK_S
            try:
                self._show_changed()
                if await self._is_due():
                    await self._renew()
                    self._told = ""
            except (NotRenewedError, OperatorError) as fault:
                self._tell(str(fault))
                wait_s = hold_s(fraction=self._fraction())
            await self._clock.sleep_until(self._clock.now().mono_ns + round(wait_s * NS_PER_S))

    def _mark(self) -> tuple[int, int] | None:
        """Return what tells one content of the file from another; None where it is not there."""
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns

    def _show_changed(self) -> None:
        """Show the centre what a command has put into the file since the last look."""
        mark = self._mark()
        if mark is not None and mark != self._seen:
            self._seen = mark
            self._renewed()

    async def _is_due(self) -> bool:
        credentials = credentials_folder()
        if credentials is not None and self._path.parent == credentials:
            return False  # the service manager gives it, and its people renew it
        if not await asyncio.to_thread(self._path.exists):
            return True
        identity = await asyncio.to_thread(TlsIdentity.load, self._path)
        if not identity.chain:
            return True
        begins_ns, ends_ns = identity.begins_ns, identity.ends_ns
        due_ns = begins_ns + round((ends_ns - begins_ns) * self._share)
        return await self._now_ns() >= due_ns

    async def _now_ns(self) -> int:
        """Return our time, or the centre's where ours was never set."""
        if not self._is_clock_unset():
            return self._clock.now().utc_ns
        async with self._exchange() as exchange:
            return (await self._nonce(exchange)).time_ns

    async def _renew(self) -> None:
        """Get another certificate for a new key.

        Raises:
            NotRenewedError: the centre was not reached, or refused.
            OperatorError: a file cannot be used.

        """
        key = await asyncio.to_thread(
            load_signing_key, self._keys.key_file, credentials=credentials_folder()
        )
        identity = TlsIdentity.new()
        async with self._exchange() as exchange:
            answer = await self._asked(exchange, key, identity)
            if isinstance(answer, Refused) and answer.code == KEY_UNKNOWN:
                # The centre has not got our last change of keys yet: it knows the one before.
                old = await asyncio.to_thread(lambda: self._keys.old)
                answer = answer if old is None else await self._asked(exchange, old, identity)
        if isinstance(answer, Refused):
            raise NotRenewedError(f"the centre refused: {answer.code}: {answer.detail}")
        try:
            certified = identity.certified(answer.certificate)
        except ValueError as fault:
            raise NotRenewedError(f"what the centre sent is of no use: {fault}") from fault
        await asyncio.to_thread(certified.save, self._path)
        self._show_changed()
        log.info("certificate.renewed", until_ns=certified.ends_ns)

    async def _asked(
        self, exchange: Exchange, key: SigningKey, identity: TlsIdentity
    ) -> Renewed | Refused:
        nonce = (await self._nonce(exchange)).nonce
        path = certificate_path(self._gateway_id)
        body = renewal(self._gateway_id, nonce, key, identity)
        try:
            reply = await exchange.send("POST", path, body, media_type=MEDIA_TYPE, is_plain=True)
            return answer_of(reply.status, reply.body, Renewed.of)
        except (NoAnswerError, UnreadableAnswerError) as fault:
            raise NotRenewedError(str(fault)) from fault

    async def _nonce(self, exchange: Exchange) -> Nonce:
        try:
            reply = await exchange.send("POST", NONCES, b"", media_type=MEDIA_TYPE, is_plain=True)
            answer = answer_of(reply.status, reply.body, Nonce.of)
        except (NoAnswerError, UnreadableAnswerError) as fault:
            raise NotRenewedError(str(fault)) from fault
        if isinstance(answer, Refused):
            raise NotRenewedError(f"the centre gives no nonce: {answer.code}: {answer.detail}")
        return answer

    def _exchange(self) -> AbstractAsyncContextManager[Exchange]:
        return open_exchange(self._centre, is_unnamed=True, is_time_unknown=self._is_clock_unset())

    def _is_clock_unset(self) -> bool:
        return self._clock.trust().state == UNSET

    def _tell(self, reason: str) -> None:
        """Log a failure when it begins, and when it becomes another one."""
        if reason != self._told:
            self._told = reason
            log.error("certificate.unrenewed", reason=reason)
