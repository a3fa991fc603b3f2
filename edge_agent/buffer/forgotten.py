"""Whether SQLite forgets batches of a log: signed ones behind the newest that it reads.

What follows the last sound frame of a log may be an unfinished transaction, or what is left where
many were damaged. A batch in it whose number is not the next one tells: those before it had been
committed, since each commit is flushed before the next begins. One transaction stores several
batches only where their readings do not fit into one.
"""

from collections.abc import Iterable
from pathlib import Path
from uuid import UUID

from edge_agent.buffer.content import Intact
from edge_agent.buffer.pages import Pages
from edge_agent.buffer.remains import Remains
from edge_agent.wire.batch import Origin
from edge_agent.wire.readings import MAX_ROWS


def forgotten(path: Path, frames: Iterable[int], found: Intact, origin: Origin) -> str | None:
    """Return what is wrong with a log that nothing else is wrong with; None where nothing is.

    Args:
        path: of the database.
        frames: of its log, behind the last commit that SQLite reads.
        found: what SQLite reads.
        origin: whose batches count.

    """
    head = found.head

    def is_expected(chain_id: UUID, number: int) -> bool:
        if head is not None and chain_id == head.header.chain_id:
            return number <= head.header.batch_no + 1
        return number == 0 or chain_id in found.chains

    with Pages(path) as pages:
        remains = Remains(
            pages,
            gateway_id=origin.gateway_id,
            key=origin.key.verifying_key,
            earlier=origin.earlier,
        )
        for one in remains.sighted_at(frames, is_expected):
            newest, next_seq = -1, 0
            if head is not None and head.header.chain_id == one.chain_id:
                newest, next_seq = head.header.batch_no, head.header.next_seq
            if not _fill(one.batch_no - newest, one.next_seq - next_seq):
                return f"its log has batch {one.batch_no}, and nothing that leads to it"
    return None


def _fill(batches: int, readings: int) -> bool:
    """Return whether one portion of so many readings may have been cut into so many batches.

    The readings of two neighbours did not fit into one (`committing.lots`).
    """
    return readings > batches // 2 * MAX_ROWS
