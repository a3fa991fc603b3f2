"""What the buffer may take of the disk; room is made of receipted batches, oldest first."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from edge_agent.buffer import schema
from edge_agent.buffer.disk import Level
from edge_agent.buffer.records import Usage
from edge_agent.buffer.retention import Span
from edge_agent.buffer.table import Table
from edge_agent.wire.batch import SignedBatch
from edge_agent.wire.header import HEADER_SIZE
from edge_agent.wire.signing import SIGNATURE_SIZE
from edge_agent.wire.vocabulary import HASH_SIZE

# Batches deleted at once: the next as many commits then find free pages. More at once was
# measured to write more (docs/adr/0003-buffer-layout.md).
EVICTED_AT_ONCE: Final = 16
# A new row may split pages up to the root of its table, and a receipt may need a page.
SPARE_PAGES: Final = 6
# Of a row, what is not the body: hash, header, signature, lengths.
ROW_BYTES: Final = HASH_SIZE + HEADER_SIZE + SIGNATURE_SIZE + 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What came of making room: how many batches went, and how many pages are still missing."""

    evicted: int
    lacking: int


class Quota:
    """Counts pages of the database; the log has its own share, schema.LOG_BYTES."""

    def __init__(self, table: Table, *, quota_bytes: int) -> None:
        self._table = table
        self._page_limit = max(0, quota_bytes - schema.LOG_BYTES) // schema.PAGE_BYTES
        self.level = Level.AMPLE
        self.usage = Usage(quota_bytes=quota_bytes, used_bytes=0, free_bytes=0)

    async def measure(self) -> None:
        """Bring `usage` up to date."""
        count, free = await self._table.pages()
        self.usage = Usage(
            quota_bytes=self.usage.quota_bytes,
            used_bytes=(count - free) * schema.PAGE_BYTES,
            free_bytes=max(0, self._page_limit - count + free) * schema.PAGE_BYTES,
        )

    async def make_room(self, batches: Sequence[SignedBatch], forgettable: Iterable[Span]) -> Room:
        """Evict, inside the transaction, until these batches fit."""
        needed = pages_of(batches)
        is_scarce = self.level >= Level.SCARCE
        evicted = 0
        free = await self._free_pages(may_grow=not is_scarce)
        for span in forgettable:
            while free < needed:
                gone = await self._table.delete_oldest(span, EVICTED_AT_ONCE)
                if not gone:
                    break
                evicted += gone
                free = await self._free_pages(may_grow=not is_scarce)
        free = await self._free_pages(may_grow=self.level < Level.SPENT)
        return Room(evicted=evicted, lacking=max(0, needed - free))

    async def _free_pages(self, *, may_grow: bool) -> int:
        count, free = await self._table.pages()
        return (self._page_limit - count if may_grow else min(0, self._page_limit - count)) + free


def body_pages(body_bytes: int) -> int:
    """Return the pages that a row with such a body fills, about."""
    content_bytes = schema.PAGE_BYTES - schema.PAGE_POINTER_BYTES
    return (body_bytes + ROW_BYTES) // content_bytes


def pages_of(batches: Iterable[SignedBatch]) -> int:
    """Return the pages that batches may take at most."""
    return sum(SPARE_PAGES + body_pages(len(each.body)) for each in batches)
