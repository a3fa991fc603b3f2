"""Each way in which a centre can be wrong, seeded once into a healthy world, and found."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from ewcheck.faults import Kind
from forge import CHAIN, SECOND_NS, START_NS, Row, batch, receipt
from world import World, faults, follow, gap, genesis_events, leave_a_poll_out, scan, served

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_a_healthy_world_has_no_fault(tmp_path: Path) -> None:
    report = World.healthy(tmp_path).judged()
    assert faults(report) == {}
    counted = ("batches", "rows", "scans", "polls_served", "polls_found", "first_faults")
    assert [report[name] for name in counted] == [3, 24, 6, 6, 6, []]


def changed(scans: list[Row], channel: int, **changes: int) -> list[Row]:
    """Return rows with the columns of one channel changed."""
    return [row._replace(**changes) if row.channel == channel else row for row in scans]


def lose_from_centre(world: World) -> None:
    del world.centre[1]


def lose_last_committed(world: World) -> None:
    world.buffer = []
    del world.centre[2]


def lose_receipted(world: World) -> None:
    world.committed = []
    del world.centre[2]


def lose_what_a_new_chain_continues(world: World) -> None:
    previous = {"chain": CHAIN.hex(), "batch_no": 9, "batch_hash": "00" * 32}
    world.plant.append(served(7))
    made = batch(scan(0, 7), genesis_events(previous))
    world.follow(made.with_header(chain_id=b"n" * 16))


def store_twice(world: World) -> None:
    world.centre.append(world.centre[1])


def sign_the_same_poll_twice(world: World) -> None:
    follow(world, scan(0, 6), poll=None)


def repeat_a_poll_within_a_batch(world: World) -> None:
    follow(world, [*scan(0, 7), *scan(1, 7)])


def invent_a_poll(world: World) -> None:
    follow(world, scan(0, 7), poll=None)


def alter_a_float(world: World) -> None:
    follow(world, changed(scan(0, 7), 1, raw=1))


def alter_a_bit(world: World) -> None:
    follow(world, changed(scan(0, 7), 2, raw=0))


def alter_a_wide_word(world: World) -> None:
    follow(world, changed(scan(0, 7), 4, raw=7))


def alter_a_status(world: World) -> None:
    follow(world, changed(scan(0, 7), 1, status=0))


def hide_a_value(world: World) -> None:
    follow(world, changed(scan(0, 7), 1, raw=0, quality=1 << 31 | 8))


def hide_the_counter(world: World) -> None:
    follow(world, changed(scan(0, 7), 3, raw=0, quality=1 << 31 | 8))


def tear_a_scan(world: World) -> None:
    follow(world, scan(0, 7)[:3])


def add_a_stranger(world: World) -> None:
    follow(world, [*scan(0, 7), Row(0, 5, START_NS, 0, 0, 0, 0)])


def add_a_strange_device(world: World) -> None:
    follow(world, [*scan(0, 7), Row(1, 9, START_NS, 0, 0, 0, 0)])


def misdate(world: World) -> None:
    follow(world, [row._replace(at=row.at + 2 * SECOND_NS) for row in scan(0, 7)])


def forge_a_signature(world: World) -> None:
    world.centre[2] = replace(world.centre[2], signature=bytes(64))
    world.buffer, world.committed = [], []


def quarantine(world: World) -> None:
    world.centre[2] = replace(world.centre[2], verdict=1)


def mislabel_a_headstone(world: World) -> None:
    world.centre[2] = replace(world.centre[2], verdict=3)


def receipt_another_batch(world: World) -> None:
    world.receipts[1] = receipt(world.centre[0])


def forge_a_receipt(world: World) -> None:
    world.receipts[1] = receipt(world.centre[1], seed=8)


def break_a_receipt(world: World) -> None:
    world.receipts[1] = receipt(world.centre[1])[:-1] + b"\0"


def cut_a_receipt(world: World) -> None:
    world.receipts[1] = b""


def lose_a_poll_just_outside_a_kill(world: World) -> None:
    leave_a_poll_out(world)
    at_ns = START_NS + 7 * SECOND_NS
    before = (at_ns - SECOND_NS, at_ns - 1, at_ns - 1)
    world.kills = [before, (at_ns + 1, at_ns + 1, at_ns + SECOND_NS)]


def lose_a_poll_from_the_middle_before_a_kill(world: World) -> None:
    leave_a_poll_out(world)
    follow(world, scan(0, 8), poll=8)
    world.kills = [(START_NS, START_NS + 9 * SECOND_NS, START_NS + 9 * SECOND_NS)]


def lose_a_poll_in_a_gap_of_another_channel(world: World) -> None:
    leave_a_poll_out(world)
    world.follow(batch([], [gap("closed", 7, 7, channel=4)], world.last()))


def lose_a_poll_before_a_gap(world: World) -> None:
    leave_a_poll_out(world)
    world.follow(batch([], [gap("closed", 9, 10)], world.last()))


def lose_a_poll_after_an_open_gap_has_ended(world: World) -> None:
    world.plant += [served(7), served(9), served(11)]
    follow(world, scan(0, 9), poll=None)
    world.follow(batch([], [gap("open", 6, None)], world.last()))


SEEDED = [
    (
        lose_from_centre,
        {Kind.LOST: 2, Kind.UNCOVERED: 2},
        "nowhere",
    ),  # by the journal, and by its successor
    (lose_last_committed, {Kind.LOST: 1, Kind.UNCOVERED: 2}, "committed"),
    (lose_receipted, {Kind.LOST: 1}, "receipted"),
    (lose_what_a_new_chain_continues, {Kind.LOST: 1}, "continues"),
    (store_twice, {Kind.DUPLICATE: 1}, "stored twice"),
    (sign_the_same_poll_twice, {Kind.DUPLICATE: 1}, "poll 6 is also in"),
    (repeat_a_poll_within_a_batch, {Kind.DUPLICATE: 1}, "poll 7 is also in"),
    (invent_a_poll, {Kind.INVENTED: 1}, "poll 7 of stack-1 was not served"),
    (alter_a_float, {Kind.INVENTED: 1}, "channel 1 is 1, served was"),
    (alter_a_bit, {Kind.INVENTED: 1}, "channel 2 is 0, served was 1"),
    (alter_a_wide_word, {Kind.INVENTED: 1}, "channel 4 is 7, served was -7"),
    (alter_a_status, {Kind.INVENTED: 1}, "status of channel 1 is 0"),
    (hide_a_value, {Kind.INVENTED: 1}, "stored as no value"),
    (hide_the_counter, {Kind.INVENTED: 1, Kind.UNCOVERED: 1}, "poll None of stack-1"),
    (tear_a_scan, {Kind.INVENTED: 1}, "without channels [4]"),
    (add_a_stranger, {Kind.INVENTED: 1, Kind.UNCOVERED: 1}, "channels that stack-1"),
    (add_a_strange_device, {Kind.INVENTED: 1}, "channel 9 belongs to no device"),
    (misdate, {Kind.INVENTED: 1}, "after it was served"),
    (forge_a_signature, {Kind.INVALID: 1, Kind.UNCOVERED: 2}, "signature"),
    (quarantine, {Kind.INVALID: 1, Kind.LOST: 1}, "quarantined"),
    (mislabel_a_headstone, {Kind.INVALID: 1, Kind.LOST: 1}, "verdict: 3"),
    (receipt_another_batch, {Kind.INVALID: 1, Kind.LOST: 2, Kind.UNCOVERED: 2}, "of another batch"),
    (forge_a_receipt, {Kind.INVALID: 1, Kind.LOST: 2, Kind.UNCOVERED: 2}, "another server key"),
    (break_a_receipt, {Kind.INVALID: 1, Kind.LOST: 2, Kind.UNCOVERED: 2}, "not signed"),
    (cut_a_receipt, {Kind.INVALID: 1, Kind.LOST: 2, Kind.UNCOVERED: 2}, "0 bytes"),
    (leave_a_poll_out, {Kind.UNCOVERED: 1}, "poll 7 at"),
    (lose_a_poll_just_outside_a_kill, {Kind.UNCOVERED: 1}, "no gap says so"),
    (lose_a_poll_from_the_middle_before_a_kill, {Kind.UNCOVERED: 1}, "no gap says so"),
    (lose_a_poll_in_a_gap_of_another_channel, {Kind.UNCOVERED: 1}, "no gap says so"),
    (lose_a_poll_before_a_gap, {Kind.UNCOVERED: 1}, "no gap says so"),
    (lose_a_poll_after_an_open_gap_has_ended, {Kind.UNCOVERED: 1}, "poll 11"),
]


@pytest.mark.parametrize(
    ("seed", "found", "words"), SEEDED, ids=lambda v: getattr(v, "__name__", "")
)
def test_a_seeded_fault_is_found(
    tmp_path: Path, seed: Callable[[World], None], found: dict[str, int], words: str
) -> None:
    world = World.healthy(tmp_path)
    seed(world)
    report = world.judged()
    assert faults(report) == found, report["first_faults"]
    assert words in json.dumps(report["first_faults"])
