"""Columns, neighbours, and what excuses a missing poll: the judgements that are not one batch's."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from forge import CHAIN, SECOND_NS, START_NS, HeadFields, Made, batch, event
from world import World, faults, follow, gap, genesis_events, leave_a_poll_out, scan, served

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = [
    {"batch_no": 8},
    {"chain_id": b"c" * 16},
    {"batch_hash": b"h" * 32},
    {"gateway_id": b"g" * 16},
    {"record_count": 1},
    {"at_min": 0},
    {"at_max": 0},
    {"verdict": 7},
]


@pytest.mark.parametrize("columns", COLUMNS, ids=lambda c: next(iter(c)))
def test_a_column_that_contradicts_the_bytes_is_found(
    tmp_path: Path, columns: dict[str, object]
) -> None:
    world = World.healthy(tmp_path)
    world.columns[0] = columns
    assert world.judged()["invalid"] == 1


NEIGHBOURS: list[tuple[str, HeadFields]] = [
    ("another gateway", {"gateway_id": b"g" * 16}),
    ("another chain", {"chain_id": b"c" * 16}),
    ("number 9 after 2", {"batch_no": 9}),
    ("first_seq", {"first_seq": 23}),
    ("boot_count fell", {"boot_count": 0}),
    ("boot_id changed", {"boot_id": b"c" * 16}),
    ("mono_ns fell", {"mono_ns": 2}),
    ("without config_applied", {"config_hash": b"c" * 32}),
]


@pytest.mark.parametrize(("rule", "header"), NEIGHBOURS)
def test_a_rule_between_neighbours_is_judged(tmp_path: Path, rule: str, header: HeadFields) -> None:
    world = World.healthy(tmp_path)
    follow(world, scan(0, 7), header=header)
    report = world.judged()
    assert faults(report) == {"invalid": 1}
    assert rule in json.dumps(report["first_faults"])


def test_a_boot_may_begin_with_a_new_clock(tmp_path: Path) -> None:
    world = World.healthy(tmp_path)
    follow(world, scan(0, 7), header={"boot_count": 2, "boot_id": b"c" * 16, "mono_ns": 0})
    assert faults(world.judged()) == {}


def test_a_first_configuration_must_be_announced(tmp_path: Path) -> None:
    world = World.healthy(tmp_path)
    made = batch([], genesis_events()[:1])
    world.follow(made.with_header(chain_id=b"n" * 16))
    assert faults(world.judged()) == {"invalid": 1}


def test_a_batch_may_wait_in_the_buffer(tmp_path: Path) -> None:
    world = World.healthy(tmp_path)
    world.buffer = [(world.centre.pop(), False)]
    report = world.judged()
    assert faults(report) == {}
    assert (report["batches"], report["batches_only_in_buffer"]) == (2, 1)
    assert report["polls_found"] == 6


@pytest.mark.parametrize(
    "events", [[gap("closed", 7, 7)], [gap("open", 7, None)], [gap("still", 5, None)]]
)
def test_a_gap_excuses_what_was_served_in_it(tmp_path: Path, events: list[object]) -> None:
    world = World.healthy(tmp_path)
    leave_a_poll_out(world)
    world.follow(batch([], events, world.last()))
    report = world.judged()
    assert faults(report) == {}
    assert (report["polls_in_gap"], report["gaps"]) == (1, 1)


def test_a_kill_excuses_what_was_served_around_it(tmp_path: Path) -> None:
    world = World.healthy(tmp_path)
    leave_a_poll_out(world)
    at_ns = START_NS + 7 * SECOND_NS
    world.kills = [(at_ns, at_ns, at_ns)]
    assert world.judged()["polls_lost_to_kill"] == 1
    assert faults(world.judged()) == {}


def test_what_is_kept_after_a_kill_does_not_make_its_loss_a_hole(tmp_path: Path) -> None:
    world = World.healthy(tmp_path)
    leave_a_poll_out(world)
    follow(world, scan(0, 8), poll=8)
    at_ns = START_NS + 7 * SECOND_NS
    world.kills = [(at_ns, at_ns + 1, at_ns + 2)]
    assert faults(world.judged()) == {}


def test_a_scan_without_any_value_is_no_reading(tmp_path: Path) -> None:
    world = World.healthy(tmp_path)
    rows = [row._replace(raw=0, status=0, quality=1 << 31 | 8) for row in scan(0, 7)]
    world.follow(batch(rows, [], world.last()))
    report = world.judged()
    assert faults(report) == {}
    assert report["scans_without_value"] == 1


def loss(first: int, last: int, from_ns: int, to_ns: int) -> object:
    """Return a loss event over batch numbers of the chain."""
    numbers = {"first_batch": first, "last_batch": last, "first_seq": "0", "last_seq": "0"}
    times = {"from_ns": str(from_ns), "to_ns": str(to_ns)}
    return event("loss", chain=CHAIN.hex(), channels=[], reason="full", **numbers, **times)


def test_a_loss_event_makes_a_loss_known_not_silent(tmp_path: Path) -> None:
    world = World.healthy(tmp_path)
    said = loss(1, 1, START_NS + 3 * SECOND_NS, START_NS + 4 * SECOND_NS)
    world.follow(batch([], [said], world.last()).with_header(flags=2))
    assert world.judged()["batches_declared_lost"] == 0  # it arrived after all
    del world.centre[1]
    report = world.judged()
    assert faults(report) == {}
    assert (report["batches_declared_lost"], report["polls_given_up"]) == (1, 2)


def test_a_headstone_is_no_reading(tmp_path: Path) -> None:
    world = World.healthy(tmp_path)
    world.buffer = []
    world.centre[1] = world.centre[1].as_headstone()
    report = world.judged()
    assert faults(report) == {"uncovered": 2}
    assert report["headstones"] == 1


def test_what_the_starts_say_of_the_stop_before_them_is_listed_in_order(tmp_path: Path) -> None:
    world = World.healthy(tmp_path)
    for at_ns, is_clean in ((START_NS + 9 * SECOND_NS, False), (START_NS, True)):
        facts = {"boot_count": 1, "clean": is_clean, "software": "a", "hardware": {}}
        world.follow(batch([], [event("boot", at_ns=str(at_ns), **facts)], world.last()))
    report = world.judged()
    assert faults(report) == {}
    assert report["boots_clean"] == [True, False]


def test_a_fork_is_counted(tmp_path: Path) -> None:
    world = World.healthy(tmp_path)
    world.plant.append(served(7))
    beside = batch(scan(0, 7), [], world.centre[1])
    world.centre.append(replace(beside, verdict=2))
    report = world.judged()
    assert faults(report) == {}
    assert report["forks"] == 1


def test_a_second_copy_of_a_journal_line_changes_nothing(tmp_path: Path) -> None:
    world = World.healthy(tmp_path)
    world.commit(*world.centre)
    assert world.judged()["batches_seen_committed"] == 3


def test_only_the_first_few_of_a_kind_are_told(tmp_path: Path) -> None:
    world = World.healthy(tmp_path)
    world.plant += [served(poll) for poll in range(100, 150)]
    report = world.judged()
    assert report["uncovered"] == 50
    assert isinstance(report["first_faults"], list)
    assert len(report["first_faults"]) == 5


def wrong_clock(world: World, *, by_ns: int) -> list[Made]:
    """Return the batches of a healthy world whose gateway's wall clock is wrong by so much."""
    made: list[Made] = []
    for index in range(3):
        rows = [row for poll in (1, 2) for row in scan(poll - 1, 2 * index + poll)]
        rows = [row._replace(at=row.at + by_ns, mono=row.at - START_NS) for row in rows]
        made.append(batch(rows, [] if index else genesis_events(), made[-1] if made else None))
    world.centre, world.buffer, world.committed = made, [], []
    return made


@pytest.mark.parametrize("by_ns", [-START_NS, 86_400 * SECOND_NS])
def test_times_may_be_judged_by_boottime_where_the_wall_clock_is_wrong_on_purpose(
    tmp_path: Path, by_ns: int
) -> None:
    world = World.healthy(tmp_path)
    wrong_clock(world, by_ns=by_ns)
    assert faults(world.judged()) == {"invented": 6}
    world.utc_minus_boottime_ns = START_NS
    assert faults(world.judged()) == {}
    world.utc_minus_boottime_ns = START_NS + 2 * SECOND_NS
    assert faults(world.judged()) == {"invented": 6}


def test_a_gap_told_by_a_wrong_clock_excuses_what_was_missed_by_boottime(tmp_path: Path) -> None:
    world = World.healthy(tmp_path)
    wrong_clock(world, by_ns=-START_NS)
    world.utc_minus_boottime_ns = START_NS
    world.plant += [served(7), served(9), served(12)]
    opened, closed = gap("open", 1, None), gap("closed", 1, 2)
    for told, poll, at_poll in ((opened, 9, 3), (closed, 9, 99_999)):
        assert isinstance(told, dict)
        told["mono_ns"] = str(poll * SECOND_NS)
        told["at_ns"] = str(START_NS + at_poll * SECOND_NS)  # two seconds after it began; then set
        world.follow(batch([], [told], world.last()))
    report = world.judged()
    assert faults(report) == {"uncovered": 1}
    assert "poll 12" in json.dumps(report["first_faults"])
    assert report["gaps"] == 1
