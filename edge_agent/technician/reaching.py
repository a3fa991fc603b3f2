"""Whether the centre can be reached: its name, its port, its certificate. Sends no request."""

import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from edge_agent.technician.diagnosis import expiry_verdict
from edge_agent.technician.verdicts import Verdict, bad, ok

LIMIT_S: Final = 5.0
PORTS: Final = {"http": 80, "https": 443}

Address = tuple[str, int]


def uplink_verdicts(url: str, ca_file: Path | None, *, now_s: float) -> Iterator[Verdict]:
    """Return how far the way to the centre goes: name, connection, certificate."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or PORTS.get(parts.scheme, 0)
    addresses = _looked_up(host, port)
    if not addresses:
        yield bad(
            "dns",
            f"the name {host} gives no address",
            "look at /etc/resolv.conf and at the cable; or write the address in centre.url",
        )
        return
    yield ok("dns", f"{host} is {addresses[0][0]}")
    try:
        with socket.create_connection((host, port), timeout=LIMIT_S) as connection:
            yield ok("uplink", f"{host} port {port} takes connections")
            if parts.scheme == "https":
                yield _shaken_hands(connection, host, ca_file, now_s=now_s)
    except OSError as fault:
        yield bad(
            "uplink",
            f"{host} port {port}: {fault}",
            "look at cable, gateway address and the site's firewall; readings are kept meanwhile",
        )


def _shaken_hands(
    connection: socket.socket, host: str, ca_file: Path | None, *, now_s: float
) -> Verdict:
    try:
        context = ssl.create_default_context(cafile=ca_file)
        with context.wrap_socket(connection, server_hostname=host) as protected:
            certificate = protected.getpeercert() or {}
    except ssl.SSLCertVerificationError as fault:
        return bad(
            "uplink",
            f"the centre's certificate is not believed: {fault.verify_message}",
            "ask the central team for the ca_file that goes with it, and look at the clock",
        )
    except (ssl.SSLError, OSError) as fault:
        fix = "look whether centre.url names the port of the centre, and ca_file a PEM file"
        return bad("uplink", f"no TLS with the centre: {fault}", fix)
    return expiry_verdict(ssl.cert_time_to_seconds(str(certificate["notAfter"])), now_s=now_s)


def _looked_up(host: str, port: int) -> list[Address]:
    """Return the addresses of a name; none where it has none, or the answer takes too long."""
    found: list[Address] = []

    def look_up() -> None:
        try:
            answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError:
            return
        found.extend((str(address[0]), port) for *_, address in answers)

    # A resolver knows no deadline; a thread that nobody waits for does no harm.
    thread = threading.Thread(target=look_up, daemon=True)
    thread.start()
    thread.join(LIMIT_S)
    return list(found)
