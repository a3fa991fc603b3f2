"""Where a device answers: `SCHEME://HOST:PORT`, or a serial port and how octets go over it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, NamedTuple
from urllib.parse import urlsplit

from edge_agent.config.constraint import Within, fault, field_faults, refuse

SERIAL = "serial"


class Parity(StrEnum):
    """The parity bit of a serial line."""

    NONE = "none"
    EVEN = "even"
    ODD = "odd"


@dataclass(frozen=True, slots=True, kw_only=True)
class SerialLine:
    """How octets go over a serial line.

    Attributes:
        baud: bits per second.
        parity: none, even or odd.
        data_bits: 7 or 8.
        stop_bits: 1 or 2.
    """

    baud: Annotated[int, Within(300, 921_600)]
    parity: Parity
    data_bits: Annotated[int, Within(7, 8)] = 8
    stop_bits: Annotated[int, Within(1, 2)] = 1

    def __post_init__(self) -> None:
        """Refuse a line that no port can be set to."""
        refuse(
            *field_faults(self),
            fault(
                "data_bits",
                "7 data bits without parity leave a frame of 9 bits, which few ports can do",
                "write the parity as the manual prints it; 7 data bits go with even or odd",
                when=self.data_bits == 7 and self.parity is Parity.NONE,
            ),
        )


class Scheme(NamedTuple):
    """What an endpoint of one scheme looks like.

    `port` is the one that is meant when none is written, 0 where one must be.
    """

    port: int = 0
    has_path: bool = False
    is_serial: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a device answers; devices with an equal endpoint share one connection.

    A serial endpoint has the port as its path, the line, and neither host nor port.
    """

    scheme: str
    host: str = ""
    port: int = 0
    path: str = ""
    line: SerialLine | None = None

    def __str__(self) -> str:
        if self.line is not None:
            return f"{self.scheme}://{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.path}"


def endpoint_of(
    text: str, schemes: Mapping[str, Scheme], line: SerialLine | None = None
) -> Endpoint | None:
    """Return where a device answers, or None if the text does not say.

    Args:
        text: as it stands in the file of the device.
        schemes: those that the protocol can do, by name.
        line: how octets go over the line; a serial endpoint needs it.

    """
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    scheme = schemes.get(parts.scheme)
    if scheme is None or parts.query or parts.fragment or parts.username:
        return None
    if scheme.is_serial:
        is_port = not parts.netloc and parts.path.startswith("/") and line is not None
        return Endpoint(scheme=parts.scheme, path=parts.path, line=line) if is_port else None
    port = scheme.port if port is None else port
    if not host or not port or (parts.path and not scheme.has_path):
        return None
    return Endpoint(scheme=parts.scheme, host=host, port=port, path=parts.path.rstrip("/"))


def written_as(schemes: Mapping[str, Scheme]) -> str:
    """Return in words how an endpoint of these schemes is written."""
    forms = [
        f"{name}:///dev/ttyUSB0"
        if scheme.is_serial
        else f"{name}://HOST:PORT{'/PATH' if scheme.has_path else ''}"
        for name, scheme in schemes.items()
    ]
    return f"write it as {' or '.join(forms)}"
