"""What the file of a device says about its DNP3 outstation, and how the connection is protected."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from edge_agent.config.constraint import Fault, Within, field_faults, refuse
from edge_agent.config.protocols.dnp3 import Backend, Events

# IEEE 1815-2012, section 9.2.4.1.3: 0xFFF0 to 0xFFFF are reserved, or for all.
Address = Annotated[int, Within(0, 65_519)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dnp3Settings:
    """Which outstation a device is, and what the agent may do there.

    Attributes:
        address: data link address of the outstation.
        master_address: ours, as it is set at the outstation.
        events: polled, unsolicited (the outstation sends them by itself), or none.
        may_set_time: whether the clock of the outstation is set when it asks for that; it is a
            write, and the only one there is.
        time_ahead_s: so far may the time of an event be ahead of our clock.
        time_behind_s: so old may an event be; as long as the outstation keeps events.
        backend: dnp3py, or pydnp3 where it can be imported.
    """

    address: Address
    master_address: Address = 1
    events: Events = Events.POLLED
    may_set_time: bool = False
    time_ahead_s: Annotated[float, Within(0.0, 3600.0)] = 2.0
    time_behind_s: Annotated[float, Within(0.0, 31_536_000.0)] = 86_400.0
    backend: Backend = Backend.DNP3PY

    def __post_init__(self) -> None:
        """Refuse what a single field must not hold, and an outstation that is we."""
        refuse(*field_faults(self), *self._faults())

    def _faults(self) -> Iterator[Fault]:
        if self.address == self.master_address:
            yield Fault(
                key="master_address",
                message=f"{self.address} is the address of the outstation",
                remedy="write the address that the outstation knows its master by",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSettings:
    """How an encrypted connection is protected; devices of one endpoint say the same.

    Attributes:
        ca_file: certificates that the device's certificate must descend from, PEM.
        certificate_file: our certificate, PEM, where the device asks for one.
        key_file: our private key, PEM; only its owner may read it.
    """

    ca_file: Path
    certificate_file: Path | None = None
    key_file: Path | None = None

    def __post_init__(self) -> None:
        """Refuse a certificate without a key, and a key without a certificate."""
        refuse(*field_faults(self), *self._faults())

    def _faults(self) -> Iterator[Fault]:
        if (self.certificate_file is None) != (self.key_file is None):
            yield Fault(
                key="key_file",
                message="certificate_file and key_file say only together who we are",
                remedy="write both, or neither",
            )
