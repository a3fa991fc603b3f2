"""How the service speaks TLS: its certificate, whom it believes, and when it takes another.

A client certificate is asked for and, where one comes, verified; what needs one is decided for
each request (`central_sync.api.admittance`), because a gateway without one must be able to get it.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import structlog

from central_sync.ca.authority import Authority, certificate_in, pin_of
from central_sync.ca.key_file import private_key_in
from central_sync.config import CentreSettings, ExitCode, OperatorError, Tls
from central_sync.store.port import NowNs

LOOK_S: Final = 6 * 3600
"""Between two looks at our own certificate; it is due when a third of its life is left."""
AGAIN_S: Final = 600
"""The same, after it could not be made anew."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Security:
    """What the settings make of TLS; `authority` is None where others certify gateways."""

    settings: Tls
    own: Authority
    now_ns: NowNs
    pause: Callable[[float], Awaitable[object]] = asyncio.sleep

    @classmethod
    def of(cls, settings: CentreSettings, *, now_ns: NowNs) -> Self | None:
        """Return it, or None where there is no TLS; what is missing is made.

        Raises:
            OperatorError: a file cannot be used.

        """
        if settings.tls is None:
            return None
        own = Authority(settings.state, now_ns=now_ns())
        made = cls(settings=settings.tls, own=own, now_ns=now_ns)
        if settings.tls.names:
            own.serve_as(settings.tls.names, now_ns=now_ns())
        return made

    @property
    def authority(self) -> Authority | None:
        """Who certifies gateways: we, or None where others do."""
        return self.own if self.settings.client_ca is None else None

    @property
    def trust(self) -> str | None:
        """What gateways must trust to believe our server certificate, PEM, if it is ours."""
        return self.own.pem if self.settings.names else None

    @property
    def pin(self) -> bytes:
        """The SHA-256 by which a gateway knows us before it trusts anybody."""
        if self.settings.certificate is None:
            return self.own.pin()
        return pin_of(certificate_in(self.settings.certificate).public_key())

    def context(self) -> ssl.SSLContext:
        """Return what new connections are made with.

        Raises:
            OperatorError: certificate, key and authorities do not go together.

        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.verify_mode = ssl.CERT_OPTIONAL
        client_ca = self.settings.client_ca or self.own.certificate_file
        try:
            context.load_verify_locations(cafile=client_ca)
        except (OSError, ssl.SSLError) as fault:
            raise _unusable(client_ca, fault) from fault
        self._load(context)
        return context

    async def keep_fresh(self, context: ssl.SSLContext) -> None:
        """Make our own certificate anew when it is due, for new connections, without an end.

        The present one goes on where that fails; a failure is logged when it begins or becomes
        another one, and tried again.
        """
        wait_s, is_new, told = LOOK_S, False, ""
        while self.settings.names:
            await self.pause(wait_s)
            wait_s = LOOK_S
            try:
                is_new |= self.own.serve_as(self.settings.names, now_ns=self.now_ns())
                if is_new:
                    self._load(context)
                    log.info("server_certificate.renewed")
                is_new, told = False, ""
            except (OSError, OperatorError) as fault:
                wait_s = AGAIN_S
                if str(fault) != told:
                    told = str(fault)
                    log.error("server_certificate.unrenewed", reason=told)

    def _load(self, context: ssl.SSLContext) -> None:
        certificate = self.settings.certificate or self.own.server_certificate_file
        key = self.settings.key or self.own.server_key_file
        private_key_in(key, remedy="See tls.key in the settings")
        try:
            context.load_cert_chain(certificate, key)
        except (OSError, ssl.SSLError) as fault:
            raise _unusable(certificate, fault) from fault


def _unusable(path: Path, fault: OSError) -> OperatorError:
    return OperatorError(
        f"{path}: cannot be used for TLS: {fault.strerror or fault}. See tls in the settings",
        exit_code=ExitCode.CONFIGURATION,
    )
