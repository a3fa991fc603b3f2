"""Opens stored batches for calculation: what of the record goes in, and in which portions."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, TypeAlias

from central_sync.calc.clock_times import BatchClock, Setting, anchors_used, error_ns, times
from central_sync.model import NOTHING_AROUND, Around, StoredBatch
from central_sync.model.arrow import rows_of_arrow
from central_sync.programs.channels import OpenedBatch
from edge_agent.wire.batch import open_body
from edge_agent.wire.events import CLOCK_STEP, parse_event
from edge_agent.wire.vocabulary import UNKNOWN_ERROR_MS, BatchFlag

AroundOf: TypeAlias = Callable[[StoredBatch], Around]
"""Finds the anchors next to a batch."""

CHUNK_ROWS: Final = 65_536
"""Rows worked on at once, about 10 MB of arrays: the size of the largest batch."""

# Canonical JSON has no spaces: a line without this holds no such event.
_MARK: Final = b'"clock_step"'


def opened(stored: StoredBatch, around_of: AroundOf) -> OpenedBatch:
    """Return the rows of a stored batch, opened against its signed header.

    Raises:
        RefusedError: the record no longer holds what was signed.

    """
    header = stored.header
    parts = open_body(header, stored.body)
    rows = rows_of_arrow(parts.readings)
    clock = BatchClock.of(
        header, received_ns=stored.received_ns, others=settings_told(parts.event_lines)
    )
    around = NOTHING_AROUND if clock.error_ns is not None else around_of(stored)
    return OpenedBatch(
        batch_hash=stored.batch_hash,
        config_hash=header.config_hash,
        first_seq=header.first_seq,
        is_clock_trusted=not header.flags & BatchFlag.CLOCK_UNTRUSTED,
        rows=rows,
        times=times(rows["at"], rows["mono"], clock, around),
        anchors=tuple(one.batch_hash for one in anchors_used(clock, around)),
    )


def settings_told(event_lines: Sequence[bytes]) -> tuple[Setting, ...]:
    """Return the settings of the clock that the events of a batch tell."""
    told: list[Setting] = []
    for line in event_lines:
        if _MARK not in line:
            continue
        event = parse_event(line)
        if event.type != CLOCK_STEP:
            continue
        old_error_ms = UNKNOWN_ERROR_MS
        if "old_unc_ms" in event.fields:  # gateways of the first releases do not tell it
            old_error_ms = event.integer("old_unc_ms")
        ends = (("old_ns", old_error_ms), ("new_ns", event.integer("unc_ms")))
        told += [
            Setting(offset_ns=event.integer(name) - event.mono_ns, error_ns=error_ns(error_ms))
            for name, error_ms in ends
        ]
    return tuple(told)


def portions(batches: Iterable[OpenedBatch]) -> Iterator[list[OpenedBatch]]:
    """Yield batches in order, in groups of CHUNK_ROWS rows or little more."""
    group: list[OpenedBatch] = []
    row_count = 0
    for batch in batches:
        group.append(batch)
        row_count += len(batch.rows)
        if row_count >= CHUNK_ROWS:
            yield group
            group, row_count = [], 0
    if group:
        yield group
