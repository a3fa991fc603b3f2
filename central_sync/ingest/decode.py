"""What a body turns out to be: contents, not what was signed, or signed but unfit.

It stores nothing and knows nothing of other batches. Checks come in the order of
docs/wire-format.md section 12: zstd, payload, parts, readings, events, count, root.
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import numpy as np

from central_sync.ingest.rotation import rotation_in
from central_sync.model.arrow import rows_of_arrow
from central_sync.store.admission import (
    Body,
    Contents,
    Damaged,
    Loss,
    LostBatch,
    Previous,
    Unfit,
)
from edge_agent.wire.batch import check_content, open_body
from edge_agent.wire.compression import compress, decompress
from edge_agent.wire.event_fields import is_hash
from edge_agent.wire.events import CLOCK_STEP, CONTINUE, LOSS, Event, check_events
from edge_agent.wire.frame import FrameFlag
from edge_agent.wire.header import Header
from edge_agent.wire.headstone import open_headstone
from edge_agent.wire.readings import RowArray
from edge_agent.wire.refusal import Code, RefusedError
from edge_agent.wire.vocabulary import Hash, Int64Array

QUARTER_NS: Final = 900 * 1_000_000_000
# No hour before 1970, nor one whose end does not fit into 64 bits.
QUARTERS: Final = range((2**63 - 24 * 4 * QUARTER_NS) // QUARTER_NS)
# One batch makes at most a week of hours due: what a broken clock scattered is not worth a year's.
QUARTERS_AT_MOST: Final = 7 * 24 * 4

# docs/wire-format.md section 10: for these reasons readings are lost; the batches still come.
LEAVE_HEADSTONES: Final = frozenset({"quota", "disk_full"})
# What was received is not what was signed (docs/wire-format.md section 14: 422).
_NOT_SIGNED: Final = frozenset((Code.ZSTD, Code.PAYLOAD, Code.HEADSTONE))


def body_of(header: Header, body: bytes, flags: FrameFlag) -> Body:
    """Return what the body of a verified header is."""
    try:
        if FrameFlag.HEADSTONE in flags:
            lines = open_headstone(header, body).event_lines
            return _contents(header, None, check_events(lines, flags=header.flags))
        parts = open_body(header, body)
        rows = rows_of_arrow(parts.readings)
        events = check_content(header, rows, parts.event_lines)
    except RefusedError as refused:
        if refused.code in _NOT_SIGNED:
            return Damaged(code=refused.code, detail=refused.detail)
        return Unfit(code=refused.code, detail=refused.detail)
    return _contents(header, rows, events)


def kept_body(header: Header, body: bytes) -> bytes:
    """Return a good body as it is kept: a payload that came uncompressed is compressed.

    A gateway stores payloads plainly in the frames of a request that it compresses as a whole; the
    compressed bytes are not signed (docs/wire-format.md section 3).
    """
    if len(body) <= header.payload_len:
        return body
    return compress(decompress(body, header.payload_len))


def _contents(header: Header, rows: RowArray | None, events: Sequence[Event]) -> Contents:
    quarters: tuple[int, ...] = ()
    at_min = at_max = mono_min = mono_max = None
    has_strays = False
    if rows is not None and len(rows):
        at = rows["at"]
        quarters, has_strays = _quarters(at, wall_ns=header.wall_ns)
        at_min, at_max = int(at.min()), int(at.max())
        mono_min, mono_max = int(rows["mono"].min()), int(rows["mono"].max())
    return Contents(
        at_min=at_min,
        at_max=at_max,
        quarters=quarters,
        previous=_previous(events),
        losses=tuple(_loss(event) for event in events if event.type == LOSS),
        has_strays=has_strays,
        mono_min=mono_min,
        mono_max=mono_max,
        has_step=any(event.type == CLOCK_STEP for event in events),
        rotation=rotation_in(header, events),
    )


def _quarters(at: Int64Array, *, wall_ns: int) -> tuple[tuple[int, ...], bool]:
    """Return the quarter-hours of these times, those nearest to `wall_ns` if there are too many.

    Also returns whether some were left out.
    """
    found = np.unique(at // QUARTER_NS)
    possible = found[(found >= QUARTERS.start) & (found < QUARTERS.stop)]
    nearest = np.argsort(np.abs(possible - wall_ns // QUARTER_NS), kind="stable")
    kept = np.sort(possible[nearest[:QUARTERS_AT_MOST]])
    return tuple(kept.tolist()), len(kept) < len(found)


def _previous(events: Sequence[Event]) -> Previous | None:
    """Return what the continue event of a genesis names; None in every other batch."""
    if not events or events[0].type != CONTINUE:
        return None
    named = events[0].fields["previous"]
    if not isinstance(named, dict):
        return None
    return Previous(
        chain_id=UUID(str(named["chain"])),
        batch_no=int(str(named["batch_no"])),
        batch_hash=Hash(bytes.fromhex(str(named["batch_hash"]))),
    )


def _loss(event: Event) -> Loss:
    return Loss(
        chain_id=UUID(str(event.fields["chain"])),
        first_batch=event.integer("first_batch"),
        last_batch=event.integer("last_batch"),
        named=_lost_batch(event),
        leaves_headstones=event.fields["reason"] in LEAVE_HEADSTONES,
    )


def _lost_batch(event: Event) -> LostBatch | None:
    """Return which one batch a loss names; None where it names none, or not as it should."""
    names = event.fields.get("batch_hash"), event.fields.get("prev_batch_hash")
    is_one = event.integer("first_batch") == event.integer("last_batch")
    if not is_one or not all(map(is_hash, names)):
        return None
    lost, before = (Hash(bytes.fromhex(str(name))) for name in names)
    return LostBatch(batch_hash=lost, prev_batch_hash=before)
