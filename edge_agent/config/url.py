"""Whether readings may be sent to an address: encrypted, or not over any network."""

from urllib.parse import urlsplit

from edge_agent.config.constraint import Fault

LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "::1")


def url_fault(url: str, *, has_ca_file: bool) -> Fault | None:
    """Return what is wrong with the centre's address.

    Args:
        url: the address.
        has_ca_file: whether it is known which certificates to trust; https needs that.

    """
    wrong = Fault(
        key="url",
        message=f"'{url}' is not an http or https address",
        remedy="write it as https://host:port",
    )
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return wrong
    if parts.scheme not in {"http", "https"} or not host:
        return wrong
    if parts.scheme == "http" and host not in LOOPBACK_HOSTS:
        return Fault(
            key="url",
            message=f"plain http to {host} would let anybody on the way read and alter",
            remedy="use https with ca_file; plain http is for this machine only",
        )
    if parts.scheme == "https" and not has_ca_file:
        return Fault(
            key="ca_file",
            message="https needs the certificates to trust",
            remedy="set ca_file to the PEM file of the centre's certificate authority",
        )
    return None
