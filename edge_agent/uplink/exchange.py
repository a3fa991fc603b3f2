"""HTTP to the centre: one keep-alive connection, one request at a time, everything limited.

It knows addresses, sizes and time limits, and nothing of what is sent. No redirects, no proxy
settings from the environment, no answer longer than an answer can be.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import httpx
import zstandard

from edge_agent.errors import ExitCode, OperatorError
from edge_agent.uplink.answer import LARGEST_ANSWER_BYTES
from edge_agent.uplink.joining import LARGEST_JOINT_BYTES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator
    from pathlib import Path

    from edge_agent.config.model import CentreSettings
    from edge_agent.wire.document import Document

# Each piece has the whole time limit to itself, so that a slow line is not taken for a dead one.
PIECE_BYTES: Final = 16 * 1024
# A line that carries less than this is not worth waiting for.
SLOWEST_BYTES_PER_S: Final = 256
# Compressing twice must save at least one part in so many to be worth the centre's work.
WORTHWHILE_PART: Final = 20
COMPRESSION_LEVEL: Final = 3
# What was joined is worth more: 3.1 bytes a reading instead of 3.3 (docs/adr/0005-compression.md).
JOINT_LEVEL: Final = 16

# Idle seconds until the kernel asks whether the centre is still there, seconds between questions,
# and their number: keeps address translators awake between uploads (tcp(7)).
_KEEP_ALIVE: Final = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 20),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
)


# openssl/x509_vfy.h: X509_V_FLAG_NO_CHECK_TIME.
NO_CHECK_TIME: Final = 0x200000
_CERTIFICATE: Final = b"-----BEGIN CERTIFICATE-----"


class NoAnswerError(Exception):
    """The centre did not answer: not reached, line broken, or out of time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An HTTP response, whole."""

    status: int
    body: bytes
    retry_after: str | None
    date: str | None


class Exchange:
    """Requests to one centre."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        *,
        timeout_s: float,
        show_certificate: Callable[[], None] = lambda: None,
    ) -> None:
        self._client = client
        self._timeout_s = timeout_s
        self._show_certificate = show_certificate
        self._is_worn = False

    def show_new_certificate(self) -> None:
        """Show the certificate as its file is now, from the next connection on.

        The present connection ends with its next request.

        Raises:
            OperatorError: the file cannot be used.

        """
        self._show_certificate()
        self._is_worn = True

    async def send(
        self, method: str, path: str, body: bytes, *, media_type: str, is_plain: bool
    ) -> Reply:
        """Send a body and return the whole answer.

        Args:
            method: POST or PUT.
            path: from the root, for example /v1/bundles/ and a hash.
            body: sent compressed where that helps.
            media_type: of the uncompressed body.
            is_plain: never compress; the centre does not take it.

        Raises:
            NoAnswerError: no answer within the time limit.

        """
        headers = {"content-type": media_type}
        if not is_plain:
            packed = await asyncio.to_thread(_compressed, body)
            if packed is not None:
                body, headers["content-encoding"] = packed, "zstd"
        return await self._answered(method, path, _cut(body), len(body), headers)

    async def send_document(
        self, path: str, document: Document, *, media_type: str, is_plain: bool
    ) -> Reply:
        """PUT a document, as it is kept or a piece at a time; return the whole answer.

        Raises:
            NoAnswerError: no answer within the time limit.

        """
        headers = {"content-type": media_type}
        if is_plain:
            return await self._answered("PUT", path, document.pieces(), document.size, headers)
        headers["content-encoding"] = "zstd"
        packed = document.packed
        return await self._answered("PUT", path, _cut(packed), len(packed), headers)

    async def _answered(
        self,
        method: str,
        path: str,
        pieces: Iterable[bytes],
        size_bytes: int,
        headers: dict[str, str],
    ) -> Reply:
        headers["content-length"] = str(size_bytes)
        if self._is_worn:
            headers["connection"] = "close"
            self._is_worn = False
        limit_s = self._timeout_s + size_bytes / SLOWEST_BYTES_PER_S
        try:
            async with (
                asyncio.timeout(limit_s),
                self._client.stream(
                    method, path, content=_streamed(pieces), headers=headers
                ) as response,
            ):
                return Reply(
                    status=response.status_code,
                    body=await _whole(response),
                    retry_after=response.headers.get("retry-after"),
                    date=response.headers.get("date"),
                )
        except (httpx.HTTPError, OSError) as fault:
            raise NoAnswerError(f"{type(fault).__name__}: {fault}".rstrip(": ")) from fault


@asynccontextmanager
async def open_exchange(
    settings: CentreSettings, *, is_unnamed: bool = False, is_time_unknown: bool = False
) -> AsyncIterator[Exchange]:
    """Open the way to the centre; nothing is sent yet.

    Args:
        settings: of the centre.
        is_unnamed: show no certificate of ours: it is about to be renewed, or over.
        is_time_unknown: the wall clock was never set: believe a certificate whatever its dates.

    Raises:
        OperatorError: the CA file or our certificate cannot be read, or holds none.

    """
    context = _trusting(settings.ca_file)
    if is_time_unknown:
        context.verify_flags |= ssl.VerifyFlags(NO_CHECK_TIME)

    def show_certificate() -> None:
        if not is_unnamed and settings.certificate_file is not None:
            _show(context, settings.certificate_file)

    show_certificate()
    transport = httpx.AsyncHTTPTransport(
        verify=context,
        limits=httpx.Limits(max_connections=1, keepalive_expiry=None),
        trust_env=False,
        socket_options=_KEEP_ALIVE,
    )
    async with httpx.AsyncClient(
        base_url=settings.url,
        transport=transport,
        timeout=settings.timeout_s,
        follow_redirects=False,
        trust_env=False,
        headers={"accept": "application/json", "accept-encoding": "identity"},
    ) as client:
        yield Exchange(client, timeout_s=settings.timeout_s, show_certificate=show_certificate)


def _trusting(ca_file: Path | None) -> ssl.SSLContext:
    """Return TLS that believes this CA; without one there is plain http, and nobody to believe."""
    if ca_file is None:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as fault:
        reason = fault.strerror if isinstance(fault, FileNotFoundError) else fault
        raise OperatorError(
            f"{ca_file}: {reason}. centre.ca_file must name a file of PEM certificates",
            exit_code=ExitCode.CONFIGURATION,
        ) from fault


def _show(context: ssl.SSLContext, certificate_file: Path) -> None:
    """Let a context show our certificate; where there is none yet, it shows none."""
    try:
        has_certificate = _CERTIFICATE in certificate_file.read_bytes()
        if has_certificate:
            context.load_cert_chain(certificate_file)
    except FileNotFoundError:
        return
    except OSError as fault:  # ssl.SSLError is one
        raise OperatorError(
            f"{certificate_file}: {fault.strerror or fault}. centre.certificate_file must hold our"
            " TLS key and its certificate in PEM; edge-agent keys renew makes it anew",
            exit_code=ExitCode.CONFIGURATION,
        ) from fault


def _compressed(body: bytes) -> bytes | None:
    """Return the body as one zstd frame, or None where that saves next to nothing."""
    level = JOINT_LEVEL if len(body) <= LARGEST_JOINT_BYTES else COMPRESSION_LEVEL
    packed = zstandard.compress(body, level)
    return packed if len(packed) + len(body) // WORTHWHILE_PART < len(body) else None


def _cut(body: bytes) -> Iterator[bytes]:
    view = memoryview(body)
    return (bytes(view[at : at + PIECE_BYTES]) for at in range(0, len(body), PIECE_BYTES))


async def _streamed(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def _whole(response: httpx.Response) -> bytes:
    received = bytearray()
    async for piece in response.aiter_raw():
        received += piece
        if len(received) > LARGEST_ANSWER_BYTES:
            raise httpx.DecodingError("an answer longer than an answer can be")
    return bytes(received)
