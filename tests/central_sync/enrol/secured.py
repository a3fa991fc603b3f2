"""The centre on a real TLS socket of the loopback, with an authority and a clock that moves."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

import httpx

from central_sync.app import Centre, opened, serving, utc_ns
from central_sync.config import CentreSettings, Tls
from central_sync.enrol.office import new_token
from central_sync.listening import listening_socket
from edge_agent.enrol import requests
from edge_agent.identity.tls import TlsIdentity
from edge_agent.wire.enrolment import token_text
from edge_agent.wire.signing import SigningKey

LOOPBACK = "127.0.0.1"
DAY = 86_400 * 1_000_000_000
OWN = Tls(names=(LOOPBACK, "localhost"))


@dataclass
class Clock:
    """The machine's time, moved."""

    offset_ns: int = 0

    def __call__(self) -> int:
        return utc_ns() + self.offset_ns


@dataclass(frozen=True)
class Secured:
    """A centre that answers over TLS."""

    centre: Centre
    url: str
    clock: Clock
    folder: Path
    unnamed: httpx.AsyncClient
    """A client without a certificate."""

    @property
    def ca_file(self) -> Path:
        """The authority's certificate."""
        return ca_file_of(self.centre)

    @property
    def pin(self) -> str:
        """What is printed beside a token."""
        security = self.centre.security()
        assert security is not None
        return security.pin.hex()

    def token(self, name: str = "stack-1", *, again: bool = False) -> bytes:
        """Return a token for a gateway of this name."""
        return new_token(
            self.centre.store, name=name, facility="PLANT", again=again, now_ns=self.clock()
        )

    def code_file(self, token: bytes, *, pin: str | None = None) -> Path:
        """Write token and pin as the command does."""
        path = self.folder / "code.txt"
        path.write_text(f"token  {token_text(token)}\npin    {pin or self.pin}\n", encoding="ascii")
        return path

    def client(self, identity: TlsIdentity | None = None) -> httpx.AsyncClient:
        """Return a client that trusts the centre, and shows a certificate if it has one."""
        return client_of(self.centre, self.url, identity)


@dataclass
class Applicant:
    """A gateway that wants in, as the centre meets it."""

    secured: Secured
    key: SigningKey
    tls: TlsIdentity

    @classmethod
    def new(cls, secured: Secured, seed: bytes = b"a" * 32) -> "Applicant":
        """Return one with keys of its own."""
        return cls(secured, SigningKey.from_seed(seed), TlsIdentity.new())

    async def nonce(self) -> bytes:
        """Return a nonce of the centre."""
        answer = await self.secured.unnamed.post(requests.NONCES)
        return bytes.fromhex(answer.json()["nonce"])

    async def asks(self, path: str, body: bytes) -> httpx.Response:
        """Send a request without a certificate."""
        return await self.secured.unnamed.post(path, content=body)

    async def enrols(self, token: bytes) -> UUID:
        """Enrol, keep the certificate, and return the gateway's id."""
        body = requests.enrolment(token, await self.nonce(), self.key, self.tls, None)
        answer = await self.asks(requests.ENROLMENTS, body)
        assert answer.status_code == 200, answer.text
        self.tls = self.tls.certified(answer.json()["certificate"])
        return UUID(answer.json()["gateway"])


def ca_file_of(centre: Centre) -> Path:
    """Return the file of the authority's certificate."""
    return centre.settings.state / "ca.pem"


def client_of(centre: Centre, url: str, identity: TlsIdentity | None = None) -> httpx.AsyncClient:
    """Return a client that trusts the centre, and shows a certificate if it has one."""
    context = ssl.create_default_context(cafile=ca_file_of(centre))
    if identity is not None:
        file = centre.settings.state / "client.pem"
        identity.save(file)
        context.load_cert_chain(file)
    return httpx.AsyncClient(base_url=url, verify=context, trust_env=False)


@asynccontextmanager
async def secured(folder: Path, tls: Tls = OWN, *, offset_ns: int = 0) -> AsyncIterator[Secured]:
    """Serve over TLS from a state folder; `offset_ns` is how far the centre's clock is off."""
    clock = Clock(offset_ns)
    settings = CentreSettings(state=folder / "centre", listen=f"{LOOPBACK}:0", tls=tls)
    with listening_socket(settings) as listener:
        port = listener.getsockname()[1]
        settings = replace(settings, listen=f"{LOOPBACK}:{port}")
        with opened(settings, now_ns=clock) as centre:
            url = f"https://{LOOPBACK}:{port}"
            async with serving(centre, listener), client_of(centre, url) as unnamed:
                yield Secured(centre, url, clock, folder, unnamed)
