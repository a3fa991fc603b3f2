"""What can become of one request between a gateway and the centre."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING

from edge_agent.wire.receipt import BatchPlace, sign_receipt
from edge_agent.wire.signing import SigningKey
from edge_agent.wire.vocabulary import Verdict

if TYPE_CHECKING:
    from uuid import UUID

    from edge_agent.uplink.state import Request
    from tests.simulation.centre import Centre

FORGER = SigningKey.from_seed(b"f" * 32)
# Half of the requests meet nothing.
FAULTS = (
    *["none"] * 12,
    "request lost",
    "answer lost",
    "answer lost",
    "doubled",
    "overtaken",
    "late",
    "late and now",
    "forged",
    "unreadable",
    "overload",
)
Answer = tuple[int, bytes]


def answered(
    centre: Centre,
    gateway_id: UUID,
    request: Request,
    body: bytes,
    *,
    fault: str,
    late: list[bytes],
) -> Answer | None:
    """Carry a request to the centre under a fault; return the answer that comes back, if any.

    Args:
        centre: takes it, or not.
        gateway_id: in the address.
        request: what is in it.
        body: its bytes.
        fault: one of FAULTS.
        late: requests that will arrive some time later.

    """
    if fault in {"late", "late and now"}:
        late.append(body)
    if fault in {"request lost", "late"}:
        return None
    if fault == "forged":
        return forged(request, gateway_id)
    if fault == "overload":
        return 503, b'{"receipts":[],"wanted":[],"wanted_bundles":[],"error":{"code":"overload"}}'
    looked = [centre.looked_through(gateway_id, body)]
    if fault == "doubled":
        looked.append(centre.looked_through(gateway_id, body))
    if fault == "overtaken" and late:
        looked.insert(0, centre.looked_through(gateway_id, late.pop()))
    answer = [centre.taken(one) for one in looked][-1]
    if fault == "unreadable":
        return 200, b"<html>"
    return None if fault == "answer lost" else answer


def forged(request: Request, gateway_id: UUID) -> Answer:
    """Return what somebody answers who has not the centre's key."""
    receipts = [
        sign_receipt(
            FORGER,
            BatchPlace(
                gateway_id=gateway_id,
                chain_id=part.held.chain_id,
                batch_no=part.held.batch_no,
                batch_hash=part.held.batch_hash,
            ),
            verdict=Verdict.ACCEPTED,
            received_ns=1,
        )
        for part in request.parts
    ]
    told = {
        "receipts": [b64encode(receipt.pack()).decode() for receipt in receipts],
        "wanted": [],
        "wanted_bundles": [],
        "error": None,
    }
    return 200, json.dumps(told).encode()
