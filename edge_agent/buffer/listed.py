"""The chains that a page of the table of chains names, of whose batches nothing may be left; pure.

Nothing vouches for a row of it, so that it is only good for saying that something is not known.
"""

from typing import Final
from uuid import UUID

from edge_agent.buffer.carving import leaf_records
from edge_agent.buffer.retention import FIRST_POSITION

# Types of the columns of `chain`: NULL (the row id stands for it), and 16 bytes (SQLite file
# format, section 2.1). Those of `delivered` are the same.
COLUMNS: Final = (0, 12 + 2 * 16)
_RANDOM: Final = 4


def chains_in(page: bytes) -> tuple[UUID, ...]:
    """Return the chains that a page names; none if it is not the first of their table.

    That one names the chain at the first position, which no chain ever leaves; and all ids are
    random ones (RFC 9562 section 5.4), which of the names of deliveries one in 64 resembles.
    """
    rows = list(leaf_records(page))
    if all(row_id != FIRST_POSITION for row_id, _, _ in rows):
        return ()
    found: list[UUID] = []
    for _, serials, cell in rows:
        at = cell.start + cell.columns_at
        content = cell.page[at : at + 16]
        if serials != COLUMNS or len(content) < 16 or UUID(bytes=content).version != _RANDOM:
            return ()
        found.append(UUID(bytes=content))
    return tuple(found)
