"""What is left of a buffer in files that were set aside: only what verifies comes out.

Reading only, in bounded lots, so that it can stop and go on anywhere. A signature makes it safe to
take bytes from wherever they lie.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Final, Self
from uuid import UUID

from edge_agent.buffer.carving import (
    FIXED_BYTES,
    SEALED,
    Cell,
    Lookup,
    leaf_records,
    sealed_cells,
)
from edge_agent.buffer.giving_up import is_headstone
from edge_agent.buffer.listed import chains_in
from edge_agent.buffer.pages import Chunk, Pages
from edge_agent.buffer.receipted import COLUMNS, Receipted, receipted, unsettled
from edge_agent.wire.batch import SignedBatch, open_body
from edge_agent.wire.document import Document
from edge_agent.wire.header import HEADER_SIZE, Header, batch_hash
from edge_agent.wire.refusal import RefusedError
from edge_agent.wire.signing import BATCH_CONTEXT, VerifyingKey
from edge_agent.wire.vocabulary import HASH_SIZE, Hash

MAGIC: Final = b"EWBATCH1"
# Of a stored batch: its hash, its header, its signature, its body.
_HEADER: Final = slice(HASH_SIZE, HASH_SIZE + HEADER_SIZE)
_SIGNATURE: Final = slice(HASH_SIZE + HEADER_SIZE, FIXED_BYTES)
# Fields of a header (docs/wire-format.md section 2): offset 32 and 48.
_CHAIN_ID: Final = slice(32, 48)
_BATCH_NO: Final = slice(48, 56)
# A lot ends at the first chunk with a batch, and after so many bytes without one.
LOT_BYTES: Final = 16 * 1024 * 1024
# Pages are written again and again with the same batches in them: so many are remembered.
REMEMBERED: Final = 16_384
# By so much of its hash a batch is known among them.
NAME_BYTES: Final = 16
# More receipts than this were never waited for at once; a file that has more was made to.
MOST_RECEIPTS: Final = 65_536
# Type of the digest in `document` (SQLite file format, section 2.1).
_DIGEST: Final = 12 + 2 * HASH_SIZE


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """What was found between two places of the files."""

    batches: tuple[SignedBatch, ...]
    foreign_count: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighted:
    """A batch whose header verifies, whatever became of its body."""

    chain_id: UUID
    batch_no: int
    first_seq: int
    next_seq: int
    wall_ns: int

    @classmethod
    def of(cls, header: Header) -> Self:
        """Return what a header tells."""
        return cls(
            chain_id=header.chain_id,
            batch_no=header.batch_no,
            first_seq=header.first_seq,
            next_seq=header.next_seq,
            wall_ns=header.wall_ns,
        )


class Remains:
    """The files of one quarantine, read for one gateway and one key."""

    def __init__(
        self,
        pages: Pages,
        *,
        gateway_id: UUID,
        key: VerifyingKey,
        earlier: Iterable[VerifyingKey] = (),
    ) -> None:
        self._pages = pages
        self._gateway_id = gateway_id
        self._keys = {one.key_id: one for one in (*earlier, key)}
        self._seen: OrderedDict[bytes, None] = OrderedDict()
        self._foreign_count = 0

    def lot(self, start: int) -> Lot | None:
        """Return what verifies from a place on, some hundred batches at most; None at the end."""
        self._foreign_count = 0
        end = start
        for chunk in self._pages.chunks(start):
            found = tuple(
                batch
                for cell, frame in _cells(chunk)
                if (batch := self._verified(cell, frame)) is not None
            )
            end = chunk.end
            if found or end - start >= LOT_BYTES:
                return Lot(batches=found, foreign_count=self._foreign_count, end=end)
        if end == start:
            return None
        return Lot(batches=(), foreign_count=self._foreign_count, end=end)

    def receipts(self) -> tuple[Receipted, ...]:
        """Return every run of receipts that is what was stored."""
        found: dict[Hash, Receipted] = {}
        for row_id, serials, cell in self._records():
            if serials[2:] != COLUMNS or len(found) >= MOST_RECEIPTS:
                continue
            content = cell.content(cell.total, self._pages.newest)
            one = None if content is None else receipted(row_id, content, serials)
            if one is None or one.receipt.gateway_id != self._gateway_id:
                continue
            known = found.get(one.receipt.batch_hash)
            if known is None or one.first_no < known.first_no:
                found[one.receipt.batch_hash] = one
        return tuple(found.values())

    def documents(self) -> Iterator[Document]:
        """Yield every configuration bundle and profile that is what its hash says, once each."""
        known: set[bytes] = set()
        for _, serials, cell in self._records():
            if len(serials) != 2 or serials[0] != _DIGEST:
                continue
            for lookup in (self._pages.newest, self._pages.stored):
                content = cell.content(cell.total, lookup)
                document = None if content is None else _document(content)
                if document is not None and document.digest not in known:
                    known.add(document.digest)
                    yield document

    def sighted(
        self, most: int, is_present: Callable[[UUID, int], bool] = lambda *_: False
    ) -> Iterator[Sighted]:
        """Yield batches by their headers, up to so many; not those that are present."""
        for chunk in self._pages.chunks(0):
            for cell, frame in _cells(chunk):
                header = self._header(cell, frame, is_present)
                if header is None:
                    continue
                yield Sighted.of(header)
                most -= 1
                if most <= 0:
                    return

    def sighted_at(
        self, frames: Iterable[int], is_present: Callable[[UUID, int], bool]
    ) -> Iterator[Sighted]:
        """Yield batches that begin in some frames of the log by their headers, as `sighted`."""
        for frame in frames:
            for cell in sealed_cells(self._pages.of_log(frame) or b""):
                header = self._header(cell, frame, is_present)
                if header is not None:
                    yield Sighted.of(header)

    def untold(self) -> tuple[UUID, ...]:
        """Return the chains listed, but those of which receipts say that nothing is missing."""
        receipted = self.receipts()
        settled = {one.chain_id for one in receipted}.difference(unsettled(receipted))
        listed = chain.from_iterable(map(chains_in, self._each()))
        return tuple(one for one in dict.fromkeys(listed) if one not in settled)

    def _records(self) -> Iterator[tuple[int, tuple[int, ...], Cell]]:
        return chain.from_iterable(map(leaf_records, self._each()))

    def _each(self) -> Iterator[bytes]:
        """Yield every page of both files."""
        for chunk in self._pages.chunks(0):
            yield from map(chunk.page_at, range(-(-len(chunk.content) // chunk.stride)))

    def _lookups(self, frame: int | None) -> Iterator[Lookup]:
        """Yield where the pages of a record may be, the likeliest first."""
        yield self._pages.newest
        yield self._pages.stored if frame is None else partial(self._pages.as_of, frame=frame)

    def _verified(self, cell: Cell, frame: int | None) -> SignedBatch | None:
        """Return the batch in a cell, if every byte of it is what was signed, once."""
        for lookup in self._lookups(frame):
            for is_straight in (False, True):
                head = self._head(cell, lookup, is_straight=is_straight)
                if head is None:
                    continue
                header_bytes, signature = head
                if self._is_seen(header_bytes):
                    return None
                batch = self._whole(cell, lookup, header_bytes, is_straight=is_straight)
                if batch is None:
                    continue
                is_ours = self._is_ours(header_bytes, signature)
                if is_ours or self._is_of_another(batch.header):
                    self._remember(header_bytes)
                    self._foreign_count += not is_ours
                    return batch if is_ours else None
        return None

    def _header(
        self, cell: Cell, frame: int | None, is_present: Callable[[UUID, int], bool]
    ) -> Header | None:
        """Return the header in a cell, if it is one of ours that is not present, once."""
        for lookup in self._lookups(frame):
            head = self._head(cell, lookup, is_straight=False)
            if head is None or self._is_seen(head[0]) or is_present(*_name(head[0])):
                continue
            if self._is_ours(*head):
                self._remember(head[0])
                return Header.unpack(head[0])
        return None

    def _head(self, cell: Cell, lookup: Lookup, *, is_straight: bool) -> tuple[bytes, bytes] | None:
        """Return header and signature in a cell, if they look like it."""
        content = cell.content(FIXED_BYTES, lookup, is_straight=is_straight)
        if content is None or not content.startswith(MAGIC, HASH_SIZE):
            return None
        return content[_HEADER], content[_SIGNATURE]

    def _whole(
        self, cell: Cell, lookup: Lookup, header_bytes: bytes, *, is_straight: bool
    ) -> SignedBatch | None:
        content = cell.content(cell.total, lookup, is_straight=is_straight)
        if content is None or content[_HEADER] != header_bytes:
            return None
        body = content[FIXED_BYTES:]
        try:
            header = Header.unpack(header_bytes)
            if not is_headstone(header_bytes, body):
                open_body(header, body)
        except RefusedError:
            return None
        return SignedBatch(
            header=header, header_bytes=header_bytes, signature=content[_SIGNATURE], body=body
        )

    def _is_ours(self, header_bytes: bytes, signature: bytes) -> bool:
        try:
            header = Header.unpack(header_bytes)
            self._keys[header.key_id].verify(BATCH_CONTEXT, header_bytes, signature)
        except (RefusedError, KeyError):
            return False
        return header.gateway_id == self._gateway_id

    def _is_of_another(self, header: Header) -> bool:
        """Return whether a batch says itself that another gateway or key made it."""
        return header.gateway_id != self._gateway_id or header.key_id not in self._keys

    def _is_seen(self, header_bytes: bytes) -> bool:
        return batch_hash(header_bytes)[:NAME_BYTES] in self._seen

    def _remember(self, header_bytes: bytes) -> None:
        self._seen[batch_hash(header_bytes)[:NAME_BYTES]] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)


def _cells(chunk: Chunk) -> Iterator[tuple[Cell, int | None]]:
    """Yield the cells of batches in a chunk, with the frame of the log that each is in."""
    content, looked_at = chunk.content, -1
    at = content.find(SEALED)
    while at >= 0:
        index = at // chunk.stride
        if index > looked_at:
            looked_at = index
            frame = None if chunk.frame is None else chunk.frame + index
            for cell in sealed_cells(chunk.page_at(index)):
                yield cell, frame
        at = content.find(SEALED, at + 1)


def _name(header_bytes: bytes) -> tuple[UUID, int]:
    """Return chain and number that a header states, verified or not."""
    return UUID(bytes=header_bytes[_CHAIN_ID]), int.from_bytes(header_bytes[_BATCH_NO], "little")


def _document(content: bytes) -> Document | None:
    document = Document(digest=Hash(content[:HASH_SIZE]), packed=content[HASH_SIZE:])
    try:
        document.verify()
    except RefusedError:
        return None
    return document


def by_number(sighted: Iterator[Sighted]) -> Mapping[tuple[UUID, int], Sighted]:
    """Return sightings by chain and number."""
    return {(one.chain_id, one.batch_no): one for one in sighted}
