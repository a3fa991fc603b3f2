"""What must be true of a gateway's life when all of it is at the centre."""

from itertools import pairwise
from typing import TYPE_CHECKING

from central_sync.model import StoredBatch
from central_sync.programs.channels import OpenedBatch
from central_sync.programs.opening import opened, settings_told
from edge_agent.clock import LEAST_NS
from edge_agent.wire.batch import open_body
from tests.system.clock_machine import S

if TYPE_CHECKING:
    from tests.system.clocks import Life


def check_all(life: "Life") -> None:
    """Compare what the centre holds with what happened."""
    life.compute()
    store = life.centre.store
    stored = _line(life)
    numbers: list[int] = []
    for one in stored:
        batch = opened(one, store.around)
        numbers += batch.rows["raw"].tolist()
        _check_times(life, batch)
    if numbers != list(range(len(life.true_ns))):
        life.faults.append(f"{len(numbers)} readings, not {len(life.true_ns)} in order")
    _check_steps(life, stored)
    _check_hours(life, len(numbers))


def _line(life: "Life") -> list[StoredBatch]:
    """Return every batch of the chain, in order."""
    (head,) = life.centre.store.heads(life.gateway_id)
    found = [
        life.centre.store.batch(life.gateway_id, head.chain_id, number)
        for number in range(head.batch_no + 1)
    ]
    return [one for one in found if one is not None]


def _check_times(life: "Life", batch: OpenedBatch) -> None:
    times = batch.times
    for number, time, earliest, latest, moved, loose in zip(
        batch.rows["raw"].tolist(),
        times.time.tolist(),
        times.earliest.tolist(),
        times.latest.tolist(),
        times.is_moved.tolist(),
        times.is_loose.tolist(),
        strict=True,
    ):
        life.counts["moved"] += moved
        life.counts["loose"] += loose
        true_ns = life.true_ns[number]
        if not earliest <= true_ns <= latest or not earliest <= time <= latest:
            life.faults.append(
                f"reading {number}: true {true_ns}, {(true_ns - time) / S} s from {time},"
                f" limits {(earliest - time) / S} {(latest - time) / S}"
            )


def _check_steps(life: "Life", stored: list[StoredBatch]) -> None:
    """Check that what lies between the clocks of two batches is told by events."""
    for one, other in pairwise(stored):
        before, header = one.header, other.header
        if before.boot_id != header.boot_id:
            continue
        offset_ns = before.wall_ns - before.mono_ns
        lines = open_body(header, other.body).event_lines
        told = settings_told([line for line in lines if b'"last_known"' not in line])
        for old, new in zip(told[::2], told[1::2], strict=True):
            if abs(old.offset_ns - offset_ns) >= LEAST_NS:
                life.faults.append(f"a step from {old.offset_ns}, not from {offset_ns}")
            offset_ns = new.offset_ns
        if abs(header.wall_ns - header.mono_ns - offset_ns) >= LEAST_NS:
            life.faults.append(f"a step before batch {header.batch_no} that nobody told")


def _check_hours(life: "Life", count: int) -> None:
    """Check that each reading since 1970 counts in one hour and in no other."""
    store = life.centre.store
    for one in _line(life):
        if one.at_min is not None and one.at_max is not None:
            times = opened(one, store.around).times.time
            count -= int((times < 0).sum())
            for at in (one.at_min, one.at_max, *times.tolist()):
                store.mark_dirty(life.gateway_id, at, at + 1)
    by_hour = life.compute()
    life.counts["hours"] += len(by_hour)
    if sum(by_hour.values()) != count:
        life.faults.append(f"{sum(by_hour.values())} readings in hours, not {count}")
