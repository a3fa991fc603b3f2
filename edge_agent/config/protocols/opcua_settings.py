"""What the file of a device says about its OPC UA server: protection, and how values are got."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from edge_agent.config.constraint import Fault, Within, field_faults, refuse
from edge_agent.config.protocols.opcua import Mode, Security

FILES = ("certificate_file", "key_file", "server_certificate_file")
# Analyzers bring a new value about once a second.
SAMPLING_MS = 1_000
# At one change a second, what changes while a subscription outlives us (`drivers.opcua`: 60 s).
QUEUE_SIZE = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class OpcuaSettings:
    """How a session with a server is protected and used; devices of one server say the same.

    Attributes:
        security: none, or basic256sha256, which signs and encrypts.
        certificate_file: our certificate, DER; basic256sha256 needs it.
        key_file: our private key, PEM; only its owner may read it.
        server_certificate_file: the server's certificate, DER; a server with another is refused.
        user: user name, where the server asks for one.
        password_file: file with the password; only its owner may read it.
        mode: read: variables are asked for at each poll; subscribe: the server tells each change.
        sampling_ms: subscribe: so often the server looks whether a variable has changed.
        queue_size: subscribe: so many changes of a variable the server keeps until we take them.
        trusts_time: whether values are stored at the server's source timestamps.
        time_ahead_s: so far may a source timestamp be ahead of our clock.
        time_behind_s: so old may one be.
    """

    security: Security = Security.NONE
    certificate_file: Path | None = None
    key_file: Path | None = None
    server_certificate_file: Path | None = None
    user: str | None = None
    password_file: Path | None = None
    mode: Mode = Mode.READ
    sampling_ms: Annotated[int, Within(10, 3_600_000)] = SAMPLING_MS
    queue_size: Annotated[int, Within(1, 10_000)] = QUEUE_SIZE
    trusts_time: bool = False
    time_ahead_s: Annotated[float, Within(0.0, 3600.0)] = 2.0
    time_behind_s: Annotated[float, Within(0.0, 31_536_000.0)] = 86_400.0

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
        for key, default in (("sampling_ms", SAMPLING_MS), ("queue_size", QUEUE_SIZE)):
            if self.mode is Mode.READ and getattr(self, key) != default:
                yield Fault(
                    key=key,
                    message="variables that are read have no sampling and no queue",
                    remedy=f'write mode = "subscribe", or remove {key}',
                )
