"""Takes what was salvaged into the buffer: one transaction a lot, progress and batches together.

A batch stays in the chain and under the number that it was signed with, in a window of positions
below zero. Nothing of the present chains is touched.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from edge_agent.buffer import schema
from edge_agent.buffer.faults import BufferFullError
from edge_agent.buffer.giving_up import is_headstone
from edge_agent.buffer.ledger import Ledger
from edge_agent.buffer.progress import Progress
from edge_agent.buffer.quota import pages_of
from edge_agent.buffer.receipted import Receipted
from edge_agent.buffer.records import Held
from edge_agent.buffer.retention import (
    WINDOW,
    Run,
    forgettable,
    is_receipted,
    is_within,
    spans_with,
)
from edge_agent.buffer.writing import Writer
from edge_agent.wire.batch import SignedBatch
from edge_agent.wire.document import Document
from edge_agent.wire.receipt import Receipt

# What salvage leaves free of the quota: new readings come first.
RESERVED_PART: Final = 1 / 8
# Batches that the centre has are kept while so much is free: it may be restored from a backup.
SPARE_PART: Final = 1 / 2
EVICTED_AT_ONCE: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Salvaged:
    """What one transaction takes in.

    Attributes:
        batches: verified, of any chain but the present ones.
        receipted: runs of receipts.
        documents: bundles and profiles.

    """

    batches: Sequence[SignedBatch] = ()
    receipted: Sequence[Receipted] = ()
    documents: Sequence[Document] = ()


async def adopt(writer: Writer, salvaged: Salvaged, progress: Progress, *, fact: str) -> Progress:
    """Store a lot and how far it brings a salvage; return that, its new batches counted.

    Args:
        writer: one that `Buffer.lent` yields.
        salvaged: what to store.
        progress: once this is stored, its batches not counted yet.
        fact: under which name the progress is kept.

    Raises:
        BufferFullError: there is no room beside what must have it; nothing was stored.

    """
    ledger, table = writer.ledger, writer.table
    starts = _starts(ledger, salvaged)
    async with writer.database.transaction():
        await _make_room(writer, salvaged)
        for chain_id, start in starts.items():
            await table.begin_chain(start, chain_id)
        places = {**{chain: ledger.start_of(chain) for chain in _chains(salvaged)}, **starts}
        runs = ledger.joined(await _runs(writer, salvaged.receipted, places))
        chosen = await _chosen(writer, salvaged.batches, places, runs)
        for position, batch in chosen:
            await table.insert(position, batch)
        stored, present = ledger.stored_runs, frozenset(runs)
        await table.replace_runs(stored - present, present - stored)
        spans = spans_with(ledger.salvaged, (position for position, _ in chosen))
        stones = {at for at, one in chosen if is_headstone(one.header_bytes, one.body)}
        emptied = spans_with(ledger.emptied, stones)
        await table.replace_emptied(ledger.emptied, emptied)
        before, after = frozenset(ledger.salvaged), frozenset(spans)
        await table.replace_salvaged(before - after, after - before)
        for document in salvaged.documents:
            await table.keep_document(document)
        progress = progress.plus(len(chosen))
        await table.keep_fact(fact, progress.text)
    ledger.emptied = emptied
    ledger.adopted(
        runs, starts, [(at, _held(batch, is_stone=at in stones)) for at, batch in chosen]
    )
    await writer.quota.measure()
    return progress


def _held(batch: SignedBatch, *, is_stone: bool) -> Held:
    return Held.of(batch.header, batch.batch_hash, len(batch.body), is_headstone=is_stone)


def _chains(salvaged: Salvaged) -> list[UUID]:
    """Return the chains of a lot, in the order in which they come."""
    named = [
        *(batch.header.chain_id for batch in salvaged.batches),
        *(run.chain_id for run in salvaged.receipted),
    ]
    return list(dict.fromkeys(named))


def _starts(ledger: Ledger, salvaged: Salvaged) -> dict[UUID, int]:
    """Return the windows of the chains that have none yet."""
    new = [chain for chain in _chains(salvaged) if ledger.start_of(chain) is None]
    return {chain: ledger.lowest_free + WINDOW * index for index, chain in enumerate(new)}


async def _runs(
    writer: Writer, receipted: Iterable[Receipted], places: Mapping[UUID, int | None]
) -> list[Run]:
    """Return runs of receipts by position; the present chains have theirs.

    One whose newest receipt is about other bytes than those held is left out.
    """
    runs: dict[int, Receipted] = {}
    for one in receipted:
        start = places.get(one.chain_id)
        if start is not None and start < 0 and one.last_no < WINDOW:
            runs[start + one.last_no] = one
    for position, held in await writer.table.held_at(sorted(runs)):
        if held.batch_hash != runs[position].receipt.batch_hash:
            del runs[position]
    return [
        Run(first=last - (one.last_no - one.first_no), last=last, receipt=one.receipt.pack())
        for last, one in runs.items()
    ]


async def _chosen(
    writer: Writer,
    batches: Iterable[SignedBatch],
    places: Mapping[UUID, int | None],
    runs: Sequence[Run],
) -> list[tuple[int, SignedBatch]]:
    """Return the batches to store, by position: those of old chains that are not there yet.

    Two batches may have been signed under one number, when a power cut came between the seal and
    the commit of the first: only one that agrees with its neighbours is taken.
    """
    placed: dict[int, SignedBatch] = {}
    for batch in batches:
        start, number = places.get(batch.header.chain_id), batch.header.batch_no
        if start is not None and start < 0 and number < WINDOW:
            placed.setdefault(start + number, batch)
    beside = {position + step for position in placed for step in (-1, 0, 1)}
    found = await writer.table.held_at(sorted(beside))
    hashes = {position: held.batch_hash for position, held in found}
    previous = {position: held.prev_batch_hash for position, held in found}
    newest = {run.last: Receipt.unpack(run.receipt).batch_hash for run in runs if run.last < 0}
    is_spare = writer.quota.usage.free_bytes > SPARE_PART * writer.quota.usage.quota_bytes
    chosen: list[tuple[int, SignedBatch]] = []
    for position, batch in sorted(placed.items()):
        name, before = batch.batch_hash, batch.header.prev_batch_hash
        is_linked = (
            hashes.get(position - 1, before) == before
            and previous.get(position + 1, name) == name
            and newest.get(position, name) == name
        )
        is_known = is_within(writer.ledger.salvaged, position)
        if is_known or not is_linked or (is_receipted(runs, position) and not is_spare):
            continue
        hashes[position], previous[position] = name, before
        chosen.append((position, batch))
    return chosen


async def _make_room(writer: Writer, salvaged: Salvaged) -> None:
    """Evict what the centre has until the lot fits beside the reserve.

    Raises:
        BufferFullError: that is not enough.

    """
    quota, ledger = writer.quota, writer.ledger
    await quota.measure()
    if not salvaged.batches and not salvaged.documents:
        return
    document_bytes = sum(len(document.packed) for document in salvaged.documents)
    needed_bytes = schema.PAGE_BYTES * pages_of(salvaged.batches) + 2 * document_bytes
    needed_bytes += round(RESERVED_PART * quota.usage.quota_bytes)
    for span in forgettable(ledger.runs, ledger.head_place[0]):
        while quota.usage.free_bytes < needed_bytes:
            if not await writer.table.delete_oldest(span, EVICTED_AT_ONCE):
                break
            await quota.measure()
    if quota.usage.free_bytes < needed_bytes:
        raise BufferFullError("no room to salvage into: the buffer is full of undelivered batches")
