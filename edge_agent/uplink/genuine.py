"""Which receipts count: those of a known key for a batch that was sent, in every field. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.wire.receipt import BatchPlace, Receipt, verify_receipt
from edge_agent.wire.refusal import RefusedError
from edge_agent.wire.vocabulary import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.uplink.state import Request, Trust


def genuine_receipts(
    received: Sequence[bytes], request: Request, trust: Trust
) -> tuple[tuple[Receipt, ...], bool]:
    """Return the receipts that count, each batch once, and whether any did not."""
    places = {
        part.held.batch_hash: BatchPlace(
            gateway_id=trust.gateway_id,
            chain_id=part.held.chain_id,
            batch_no=part.held.batch_no,
            batch_hash=part.held.batch_hash,
        )
        for part in request.parts
    }
    stones = {part.held.batch_hash for part in request.parts if part.held.is_headstone}
    genuine: dict[bytes, Receipt] = {}
    is_forged = False
    for packed in received:
        try:
            receipt = Receipt.unpack(packed)
            key = trust.receipt_keys[receipt.server_key_id]
            verify_receipt(receipt, key, places[receipt.batch_hash])
        except (RefusedError, KeyError):
            is_forged = True
            continue
        # Readings that were sent are not settled by a receipt for a batch without readings.
        if receipt.verdict is Verdict.HEADSTONE and receipt.batch_hash not in stones:
            is_forged = True
            continue
        genuine[receipt.batch_hash] = receipt
    return tuple(genuine.values()), is_forged
