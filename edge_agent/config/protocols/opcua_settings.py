"""What the file of a device says about its OPC UA server: security, certificates and user."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edge_agent.config.constraint import Fault, field_faults, refuse
from edge_agent.config.protocols.opcua import Security

FILES = ("certificate_file", "key_file", "server_certificate_file")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpcuaSettings:
    """How a session with a server is protected; devices of one server say the same.

    Attributes:
        security: none, or basic256sha256, which signs and encrypts.
        certificate_file: our certificate, DER; basic256sha256 needs it.
        key_file: our private key, PEM; only its owner may read it.
        server_certificate_file: the server's certificate, DER; a server with another is refused.
        user: user name, where the server asks for one.
        password_file: file with the password; only its owner may read it.
    """

    security: Security = Security.NONE
    certificate_file: Path | None = None
    key_file: Path | None = None
    server_certificate_file: Path | None = None
    user: str | None = None
    password_file: Path | None = None

    def __post_init__(self) -> None:
        """Refuse a protected session without its certificates, and a password without a user."""
        refuse(*field_faults(self), *self._faults())

    def _faults(self) -> Iterator[Fault]:
        is_protected = self.security is not Security.NONE
        for key in FILES:
            is_there = getattr(self, key) is not None
            if is_protected and not is_there:
                yield Fault(
                    key=key,
                    message=f"{self.security} needs it",
                    remedy="run edge-agent opcua trust ENDPOINT, which makes and names the files",
                )
            elif is_there and not is_protected:
                yield Fault(
                    key=key,
                    message="a session without security has no certificates",
                    remedy='write security = "basic256sha256", or remove it',
                )
        if self.password_file is not None and self.user is None:
            yield Fault(
                key="password_file",
                message="a password, and no user that it is of",
                remedy="write user, or remove password_file",
            )
