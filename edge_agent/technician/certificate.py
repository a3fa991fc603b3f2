"""Whether the gateway's own TLS certificate is there, and until when it is good."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from edge_agent.clock import NS_PER_S
from edge_agent.errors import OperatorError
from edge_agent.identity import credentials_folder
from edge_agent.identity.tls import TlsIdentity
from edge_agent.technician.verdicts import Verdict, bad, odd, ok

# Renewed after two thirds of 60 days: with less than this left, renewing has failed for days.
LEAST_DAYS: Final = 10
RENEW: Final = "edge-agent keys renew says what is in the way"


def certificate_verdict(path: Path | None, *, now_s: float) -> Verdict:
    """Return what there is to say about the file that the settings name."""
    if path is None:
        return odd(
            "keys",
            "no centre.certificate_file: a centre that asks for certificates takes nothing",
            "edge-agent keys renew says what to write",
        )
    if not path.exists():
        return odd("keys", f"{path} is not there: the agent gets a certificate by itself", RENEW)
    try:
        identity = TlsIdentity.load(path, credentials=credentials_folder())
    except OperatorError as error:
        return bad("keys", str(error), f"chmod 600 {path}, or edge-agent keys renew")
    if not identity.chain:
        return odd("keys", f"{path} holds a key and no certificate for it yet", RENEW)
    return _by_age(identity.ends_ns // NS_PER_S, now_s=now_s)


def _by_age(ends_s: int, *, now_s: float) -> Verdict:
    date = datetime.fromtimestamp(ends_s, UTC).date()
    left_s = ends_s - now_s
    if left_s <= 0:
        return bad("keys", f"our certificate ended on {date}: nothing is taken from us", RENEW)
    if left_s < LEAST_DAYS * 86_400:
        return odd("keys", f"our certificate ends on {date}, and was not renewed in time", RENEW)
    return ok("keys", f"our certificate is good until {date}; the agent renews it")
