"""How a portion becomes signed batches: what comes first, where it is cut, who it follows.

Nothing here touches the disk, and nothing has a number before the writing transaction calls it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final
from uuid import UUID

from edge_agent.buffer.records import Boot, Head
from edge_agent.clock import Instant, Trust
from edge_agent.clock_steps import untold_step
from edge_agent.wire.batch import Origin, Position, SignedBatch, Stamp, seal
from edge_agent.wire.chain import successor_fault
from edge_agent.wire.enrolment import rotation_fields
from edge_agent.wire.events import KEY_ROTATED, Event
from edge_agent.wire.payload import MAX_LINES
from edge_agent.wire.readings import MAX_ROWS, Readings, rows_of
from edge_agent.wire.signing import SigningKey
from edge_agent.wire.vocabulary import UNKNOWN_ERROR_MS, BatchFlag, ClockState, Hash

# 65,536 rows of 40 bytes and this many bytes of events stay below the 4 MiB of a payload
# (docs/wire-format.md section 2), so rows and events are cut without looking at one another.
MAX_EVENT_BYTES: Final = 1_048_576


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """A chain that starts with the next batch.

    Attributes:
        reason: of the `continue` event (docs/wire-format.md section 10).
        previous: the newest batch of files that were set aside; None when there is none. Where
            the buffer has a head, that comes before it.

    """

    reason: str
    chain_id: UUID
    previous: Head | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the next batch goes: behind the head of the table, or at the start of a chain."""

    head: Head | None
    beginning: Beginning | None

    @property
    def last(self) -> Head | None:
        """The newest batch that was made durable, here or in files that were set aside."""
        if self.head is None and self.beginning is not None:
            return self.beginning.previous
        return self.head

    @property
    def position(self) -> Position:
        """Number, first sequence number and previous hash of the next batch."""
        if self.beginning is not None or self.head is None:
            if self.beginning is None:
                raise RuntimeError("an empty buffer has no chain to go on with")
            return Position.genesis(self.beginning.chain_id)
        return Position.after(self.head.header, self.head.batch_hash)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """What one batch takes."""

    readings: tuple[Readings, ...]
    lines: tuple[bytes, ...]


def boot_count_after(last: Head | None, boot_id: UUID) -> int:
    """Return the count of this boot: that of the last batch if it is of this boot, else one more.

    Args:
        last: the newest batch that could be read, of any chain; None when there is none.
        boot_id: the kernel's id of the present boot.

    """
    if last is None:
        return 1
    return last.header.boot_count + (last.header.boot_id != boot_id)


def stamp_of(instant: Instant, trust: Trust, *, boot_count: int, boot_id: UUID) -> Stamp:
    """Return the clock fields of a header for this moment."""
    return Stamp(
        boot_count=boot_count,
        boot_id=boot_id,
        mono_ns=instant.mono_ns,
        wall_ns=instant.utc_ns,
        wall_unc_ms=UNKNOWN_ERROR_MS if trust.error_ms is None else trust.error_ms,
        clock_state=ClockState(trust.state),
    )


def opening_events(
    place: Place,
    *,
    stamp: Stamp,
    origin: Origin,
    boot: Boot | None,
    told: Sequence[Event] = (),
) -> Iterator[Event]:
    """Yield what must stand before the events of a portion.

    Args:
        place: where the batch goes.
        stamp: the moment of the batch.
        origin: names the configuration in force, and what technicians stand for in it.
        boot: to be told once per start of the agent; None when it has been.
        told: the events of the portion.

    Source: docs/wire-format.md section 10: `continue` first in a genesis, then `config_applied`
    in the first batch of a configuration, and behind it what technicians confirmed.

    """
    config_hash = origin.config_hash
    at = {"at_ns": stamp.wall_ns, "mono_ns": stamp.mono_ns}
    last = place.last
    if place.beginning is not None:
        yield Event(
            type="continue",
            fields={"reason": place.beginning.reason, "previous": _named(last)},
            **at,
        )
    if place.beginning is not None or last is None or last.header.config_hash != config_hash:
        yield Event(type="config_applied", fields={"config_hash": config_hash.hex()}, **at)
        for said in origin.confirmations:
            yield Event(type="confirmation", fields=said, **at)
    if boot is not None:
        is_clean = last is None or BatchFlag.LAST_BEFORE_STOP in last.header.flags
        yield Event(
            type="boot",
            fields={
                "boot_count": stamp.boot_count,
                "clean": is_clean,
                "software": boot.software,
                "hardware": dict(boot.hardware),
            },
            **at,
        )
    step = None if last is None else _untold_step(last, told, stamp)
    if step is not None:
        yield step


def _untold_step(last: Head, told: Sequence[Event], stamp: Stamp) -> Event | None:
    error_ms = None if stamp.wall_unc_ms == UNKNOWN_ERROR_MS else stamp.wall_unc_ms
    return untold_step(
        last.header,
        told,
        boot_id=stamp.boot_id,
        now=Instant(utc_ns=stamp.wall_ns, mono_ns=stamp.mono_ns),
        trust=Trust(state=stamp.clock_state, error_ms=error_ms),
    )


def rotation_event(place: Place, *, stamp: Stamp, origin: Origin, key: SigningKey) -> Event:
    """Return what stands last in a chain: that another key follows, which has agreed to it.

    Source: docs/wire-format.md section 10, `key_rotated`.
    """
    return Event(
        type=KEY_ROTATED,
        at_ns=stamp.wall_ns,
        mono_ns=stamp.mono_ns,
        fields=rotation_fields(
            gateway_id=origin.gateway_id,
            chain_id=place.position.chain_id,
            old_key_id=origin.key.key_id,
            new_key=key,
        ),
    )


def lots(readings: Sequence[Readings], lines: Sequence[bytes]) -> tuple[Lot, ...]:
    """Return readings and event lines cut into what fits one batch each, in order.

    A scan is never cut. Nothing in, nothing out.

    Raises:
        ValueError: one scan has more rows than a batch takes; no device answers so much.

    """
    return tuple(
        Lot(readings=tuple(part), lines=tuple(told))
        for part, told in zip_longest(_cut_readings(readings), _cut_lines(lines), fillvalue=())
    )


def sealed(
    cut: Sequence[Lot], place: Place, *, stamp: Stamp, origin: Origin, is_last: bool
) -> tuple[SignedBatch, ...]:
    """Return one signed batch per lot, each following the one before.

    Raises:
        RuntimeError: a batch would break a rule towards its predecessor: the monotonic clock or
            the boot count fell. Nothing is clamped, because a clamped time would be signed.

    """
    batches: list[SignedBatch] = []
    position = place.position
    before = None if place.beginning is not None or place.head is None else place.head.header
    for index, lot in enumerate(cut):
        is_end = is_last and index == len(cut) - 1
        batch = seal(
            rows_of(lot.readings),
            lot.lines,
            position=position,
            stamp=stamp,
            origin=origin,
            flags=BatchFlag.LAST_BEFORE_STOP if is_end else BatchFlag(0),
        )
        fault = None if before is None else successor_fault(before, batch.header)
        if fault is not None:
            raise RuntimeError(f"batch {position.batch_no} cannot follow the last one: {fault}")
        batches.append(batch)
        position, before = Position.after(batch.header, batch.batch_hash), batch.header
    return tuple(batches)


def _named(head: Head | None) -> dict[str, str] | None:
    if head is None:
        return None
    return {
        "chain": str(head.header.chain_id),
        "batch_no": str(head.header.batch_no),
        "batch_hash": Hash(head.batch_hash).hex(),
    }


def _cut_readings(readings: Sequence[Readings]) -> Iterator[list[Readings]]:
    part: list[Readings] = []
    rows = 0
    for scan in readings:
        count = len(scan.channel)
        if count > MAX_ROWS:
            raise ValueError(f"a scan of {count} rows, at most {MAX_ROWS} fit a batch")
        if rows + count > MAX_ROWS:
            yield part
            part, rows = [], 0
        part.append(scan)
        rows += count
    if part:
        yield part


def _cut_lines(lines: Sequence[bytes]) -> Iterator[list[bytes]]:
    part: list[bytes] = []
    size = 0
    for line in lines:
        if len(part) == MAX_LINES or size + len(line) + 1 > MAX_EVENT_BYTES:
            yield part
            part, size = [], 0
        part.append(line)
        size += len(line) + 1
    if part:
        yield part
