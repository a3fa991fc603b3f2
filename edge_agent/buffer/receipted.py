"""Runs of receipts in damaged files: what they vouch for, and what they tell of chains; pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from edge_agent.buffer.carving import columns
from edge_agent.buffer.retention import Run, Span, united
from edge_agent.wire.receipt import RECEIPT_SIZE, Receipt
from edge_agent.wire.refusal import RefusedError
from edge_agent.wire.vocabulary import HASH_SIZE

# Types of the last two columns of `receipt`, which has four (SQLite file format, section 2.1).
COLUMNS: Final = (12 + 2 * RECEIPT_SIZE, 12 + 2 * HASH_SIZE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipted:
    """Batches of one chain that all have had a receipt, and the newest of these.

    `start` is the position that the chain began at, in the files that this was found in.
    """

    chain_id: UUID
    first_no: int
    last_no: int
    start: int
    receipt: Receipt


def receipted(last: int, content: bytes, serials: tuple[int, ...]) -> Receipted | None:
    """Return the run in a record of the receipt table; None if its row is not what was stored.

    Args:
        last: row id of the record.
        content: its columns.
        serials: their types.

    """
    try:
        _, first, packed, digest = columns(content, serials)
        if not isinstance(first, int) or not isinstance(packed, bytes):
            return None
        run = Run(first=first, last=last, receipt=packed)
        receipt = Receipt.unpack(packed)
        is_good = run.sha256 == digest
    except (RefusedError, ValueError, OverflowError):
        return None
    first_no = receipt.batch_no - (last - first)
    if not is_good or first_no < 0:
        return None
    return Receipted(
        chain_id=receipt.chain_id,
        first_no=first_no,
        last_no=receipt.batch_no,
        start=last - receipt.batch_no,
        receipt=receipt,
    )


def unsettled(receipted: Iterable[Receipted]) -> tuple[UUID, ...]:
    """Return the chains of receipts that may have had batches without one.

    Not those whose receipts go from the first batch up to where another chain begins: positions
    count over all chains (`retention`).
    """
    starts = {one.start for one in receipted}
    of_chain: dict[UUID, list[Receipted]] = {}
    for one in receipted:
        of_chain.setdefault(one.chain_id, []).append(one)
    found: list[UUID] = []
    for chain_id, runs in of_chain.items():
        first, *more = united(Span(first=run.first_no, last=run.last_no) for run in runs)
        ends = {run.start + first.last + 1 for run in runs}
        if more or first.first or not ends <= starts:
            found.append(chain_id)
    return tuple(found)
