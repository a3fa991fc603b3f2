"""A command's way to the centre: one request after another, believed by a pin or by a CA file.

Nothing is sent before the other end has shown that it is the centre.
"""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from edge_agent.enrol.answers import (
    LARGEST_ANSWER_BYTES,
    Refused,
    UnreadableAnswerError,
    answer_of,
)
from edge_agent.errors import ExitCode, OperatorError

LIMIT_S: Final = 20.0
Read = TypeVar("Read")


class WrongPinError(Exception):
    """The server at the address is not the one that the pin is of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Centre:
    """A centre at an address, and how it is known; plain http is for this machine only.

    Attributes:
        url: https://host:port, or http:// to loopback.
        pin: SHA-256 of the public key of its certificate.
        ca_file: certificates that its certificate must descend from; with a pin, both must hold.

    """

    url: str
    pin: bytes | None = None
    ca_file: Path | None = None

    def asked(
        self, path: str, body: bytes, read: Callable[[dict[str, object]], Read]
    ) -> Read | Refused:
        """Return the answer to one request.

        Raises:
            OperatorError: the centre cannot be reached, is not the one of the pin or the CA file,
                or something else answers.

        """
        connection = self._connection()
        try:
            connection.request("POST", path, body, {"Content-Type": "application/json"})
            reply = connection.getresponse()
            return answer_of(reply.status, reply.read(LARGEST_ANSWER_BYTES), read)
        except WrongPinError as fault:
            raise OperatorError(
                f"{self.url}: {fault}. Nothing was sent. Compare the pin with what `central-sync"
                " gateway token` printed; if it is the same, somebody is between here and there",
                exit_code=ExitCode.BAD_DATA,
            ) from fault
        except ssl.SSLCertVerificationError as fault:
            raise OperatorError(
                f"{self.url}: the centre's certificate is not believed: {fault.verify_message}."
                " Look at the address, the clock and the CA file",
                exit_code=ExitCode.BAD_DATA,
            ) from fault
        except (OSError, HTTPException) as fault:
            raise OperatorError(
                f"{self.url}: no answer: {str(fault) or type(fault).__name__}. Look at the address,"
                " the cable and the site's firewall, then do this again",
                exit_code=ExitCode.UNAVAILABLE,
            ) from fault
        except UnreadableAnswerError as fault:
            raise OperatorError(
                f"{self.url}: {fault}. Does the address name the centre, and no proxy before it?",
                exit_code=ExitCode.UNAVAILABLE,
            ) from fault
        finally:
            connection.close()

    def _connection(self) -> HTTPConnection:
        parts = urlsplit(self.url)
        host, port = parts.hostname or "", parts.port
        if parts.scheme == "http":
            return HTTPConnection(host, port, timeout=LIMIT_S)
        return _Pinned(host, port, pin=self.pin, context=self._context())

    def _context(self) -> ssl.SSLContext:
        if self.ca_file is None:
            # Believed by its pin, which is compared before anything is sent.
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            return context
        try:
            return ssl.create_default_context(cafile=self.ca_file)
        except OSError as fault:
            raise OperatorError(
                f"{self.ca_file}: {fault.strerror or fault}. It must hold certificates in PEM",
                exit_code=ExitCode.CONFIGURATION,
            ) from fault


class _Pinned(HTTPSConnection):
    """HTTPS that compares the key of the server's certificate before a request is written."""

    def __init__(
        self, host: str, port: int | None, *, pin: bytes | None, context: ssl.SSLContext
    ) -> None:
        super().__init__(host, port, timeout=LIMIT_S, context=context)
        self._pin = pin

    def connect(self) -> None:
        """Connect, and go no further with a stranger."""
        super().connect()
        if self._pin is None:
            return
        tls = self.sock
        encoded = tls.getpeercert(binary_form=True) if isinstance(tls, ssl.SSLSocket) else None
        found = _pin_of(encoded) if encoded else b""
        if found != self._pin:
            self.close()
            raise WrongPinError(f"its key has the pin {found.hex()}, not {self._pin.hex()}")


def _pin_of(certificate: bytes) -> bytes:
    key = x509.load_der_x509_certificate(certificate).public_key()
    return sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
