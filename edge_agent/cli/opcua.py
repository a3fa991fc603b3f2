"""`edge-agent opcua trust`: show the certificate of a server, and trust it once it was compared.

Reads the list of endpoints that every server gives to everybody; opens no session. What is written
are files in the folder of the configuration, and never one that is there already.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from socket import gethostname
from typing import Final
from urllib.parse import urlsplit

from asyncua.client.client import Client
from asyncua.crypto.cert_gen import setup_self_signed_certificate
from asyncua.ua.uaerrors import UaError
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from edge_agent.config.model import DEFAULT_CONFIG
from edge_agent.errors import ExitCode, OperatorError

LIMIT_S: Final = 10.0
# OPC 10000-7: the policy and the mode that `opcua.security = "basic256sha256"` stands for.
POLICY: Final = "http://opcfoundation.org/UA/SecurityPolicy#Basic256Sha256"
SIGN_AND_ENCRYPT: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """The certificate of a server, DER, and what it says of itself."""

    certificate: bytes

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, as people compare it."""
        digest = sha256(self.certificate).hexdigest().upper()
        return ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))

    @property
    def subject(self) -> str:
        """Who it says it is."""
        return x509.load_der_x509_certificate(self.certificate).subject.rfc4514_string()

    @property
    def until(self) -> str:
        """Until when it is valid, UTC."""
        return f"{x509.load_der_x509_certificate(self.certificate).not_valid_after_utc:%Y-%m-%d}"


def main(arguments: Sequence[str]) -> int:
    """Show, ask and write; return the exit code."""
    parser = argparse.ArgumentParser(prog="edge-agent opcua", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True, metavar="trust")
    trust = actions.add_parser("trust", help="trust the certificate of a server")
    trust.add_argument("endpoint", help="such as opc.tcp://10.0.5.30:4840")
    trust.add_argument("--config", type=Path, default=DEFAULT_CONFIG, help="agent.toml")
    trust.add_argument("--yes", action="store_true", help="the fingerprint has been compared")
    trust.add_argument("--json", action="store_true", help="print facts as JSON; needs --yes")
    known = parser.parse_args(arguments)
    offered = asyncio.run(_offered(known.endpoint))
    if not known.json:
        print(f"server       {known.endpoint}")
        print(f"subject      {offered.subject}")
        print(f"valid until  {offered.until}")
        print(f"SHA-256      {offered.fingerprint}")
    if not known.yes and not _is_agreed(is_asked=not known.json):
        print("nothing was written", file=sys.stderr)
        return ExitCode.FAILURE
    keys = _written(known.endpoint, offered, known.config.parent / "trust")
    if known.json:
        print(json.dumps({"fingerprint": offered.fingerprint, "opcua": keys}))
    else:
        print("write this into the file of the device:\n\n[opcua]")
        for key, value in keys.items():
            print(f'{key} = "{value}"')
    return ExitCode.OK


def _is_agreed(*, is_asked: bool) -> bool:
    """Ask a person at a terminal; nobody else can have compared anything."""
    if not is_asked or not sys.stdin.isatty():
        return False
    answer = input("Does the server itself show the same fingerprint? [y/N] ")
    return answer.strip().lower() in ("y", "yes")


async def _offered(endpoint: str) -> Offered:
    """Return the certificate with which a server would protect a session.

    Raises:
        OperatorError: it is not there, or does not offer what we ask for.

    """
    try:
        async with asyncio.timeout(LIMIT_S):
            found = await Client(endpoint, timeout=LIMIT_S).connect_and_get_server_endpoints()
    except (OSError, TimeoutError, UaError, ValueError) as error:
        raise OperatorError(
            f"{endpoint}: {str(error) or type(error).__name__}. Check address, port and network",
            exit_code=ExitCode.UNAVAILABLE,
        ) from error
    for one in found:
        if one.SecurityPolicyUri == POLICY and int(one.SecurityMode) == SIGN_AND_ENCRYPT:
            # Some servers send the whole chain behind their own certificate.
            return Offered(certificate=_first(bytes(one.ServerCertificate or b"")))
    policies = sorted({str(one.SecurityPolicyUri).rpartition("#")[2] for one in found})
    raise OperatorError(
        f"{endpoint}: offers {', '.join(policies)}, and not Basic256Sha256 signed and encrypted. "
        'Switch it on at the server, or leave security = "none"',
        exit_code=ExitCode.UNAVAILABLE,
    )


def _written(endpoint: str, offered: Offered, folder: Path) -> dict[str, str]:
    """Write the certificates that are not there yet; return the keys of `[opcua]`."""
    parts = urlsplit(endpoint)
    theirs = folder / f"{parts.hostname}-{parts.port or 4840}.der"
    own, key = folder / "own.der", folder / "own.pem"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        if theirs.exists() and theirs.read_bytes() != offered.certificate:
            raise OperatorError(
                f"{theirs}: another certificate is trusted already. If the server was given a new "
                "one, remove the file and run this again",
                exit_code=ExitCode.BAD_DATA,
            )
        theirs.write_bytes(offered.certificate)
        if not own.exists() or not key.exists():
            asyncio.run(_make_own(own, key))
            key.chmod(0o600)
    except OSError as error:
        raise OperatorError(
            f"{folder}: {error.strerror or error}. Check its permissions",
            exit_code=ExitCode.PERMISSION,
        ) from error
    return {
        "security": "basic256sha256",
        "certificate_file": str(own),
        "key_file": str(key),
        "server_certificate_file": str(theirs),
    }


async def _make_own(own: Path, key: Path) -> None:
    host = gethostname()
    uses, names = [ExtendedKeyUsageOID.CLIENT_AUTH], {"commonName": "EmissionWatch gateway"}
    uri = f"urn:{host}:emissionwatch:edge"
    await setup_self_signed_certificate(key, own, uri, host, uses, names)


def _first(chain: bytes) -> bytes:
    """Return the first certificate of a chain; octets 3 and 4 hold its length (X.690 8.1.3)."""
    if chain[:2] != b"\x30\x82":
        return chain
    return chain[: 4 + int.from_bytes(chain[2:4], "big")]
