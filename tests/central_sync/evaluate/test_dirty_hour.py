"""From a dirty hour to a settled one, on the embedded store and signed batches."""

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from central_sync.evaluate.hour import Evaluator, complete_until_ns
from central_sync.evaluate.part_reader import read_part
from central_sync.model import HourlyRevision
from central_sync.programs.plan import Facility, Plan
from edge_agent.wire.frame import FrameFlag
from edge_agent.wire.readings import RowArray
from tests.central_sync.channels import FLAME, NOX
from tests.central_sync.evaluate.signing_gateway import (
    GATEWAY,
    HOUR,
    MINUTE,
    SECOND,
    TEN,
    Centre,
    SigningGateway,
    rows,
)


def full_hour(raw: int = 1000, *, start_ns: int = TEN) -> RowArray:
    return rows([(start_ns + minute * MINUTE, 1, raw) for minute in range(60)])


def current(centre: Centre, hour_ns: int = TEN) -> HourlyRevision:
    (found,) = centre.store.hourly(facility=None, channel=1, from_ns=hour_ns, to_ns=hour_ns + HOUR)
    return found


def parts(centre: Centre) -> list[str]:
    return sorted(path.name for path in centre.settings.parts.iterdir())


def test_a_complete_hour_becomes_final(centre: Centre, gateway: SigningGateway) -> None:
    centre.take(gateway.batch(full_hour(), wall_ns=TEN + HOUR))
    centre.take_bundle(gateway.bundle)
    done = centre.compute()[TEN]
    assert (done.is_settled, done.final_from_ns, done.row_count) == (True, None, 60)
    found = current(centre)
    assert (found.value.value, found.revision, found.value.is_provisional) == ("100.00", 1, False)
    assert centre.store.dirty_hours(10) == ()


@pytest.mark.parametrize(
    ("wall_ns", "now_ns", "is_provisional"),
    [
        (TEN + HOUR, TEN + HOUR, False),
        (TEN + HOUR - 1, TEN + HOUR, True),
        (TEN + HOUR, TEN + HOUR - 1, True),
    ],
)
def test_an_hour_is_final_when_it_is_over_for_the_gateway_and_for_the_centre(
    centre: Centre, gateway: SigningGateway, wall_ns: int, now_ns: int, *, is_provisional: bool
) -> None:
    centre.take(gateway.batch(full_hour(), wall_ns=wall_ns))
    centre.take_bundle(gateway.bundle)
    centre.clock.now_ns = now_ns
    assert centre.compute()[TEN].final_from_ns == (TEN + HOUR if is_provisional else None)
    assert current(centre).value.is_provisional is is_provisional


def test_a_hole_before_the_end_of_the_hour_keeps_it_provisional(
    centre: Centre, gateway: SigningGateway
) -> None:
    first = gateway.batch(full_hour(), wall_ns=TEN + HOUR - SECOND)
    missing = gateway.batch(rows([(TEN + HOUR - SECOND, 1, 7)]), wall_ns=TEN + HOUR)
    last = gateway.batch(rows([(TEN + HOUR, 1, 7)]), wall_ns=TEN + HOUR + SECOND)
    centre.take(first)
    centre.take(last, flags=FrameFlag.BEFORE_FOLLOWS_LATER)
    centre.take_bundle(gateway.bundle)
    assert centre.compute()[TEN].final_from_ns == TEN + HOUR
    assert complete_until_ns(centre.store, GATEWAY) == TEN + HOUR - SECOND
    centre.take(missing)
    assert centre.compute()[TEN].final_from_ns is None
    assert complete_until_ns(centre.store, GATEWAY) == TEN + HOUR + SECOND
    assert current(centre).revision == 2


def test_a_gateway_that_sent_nothing_is_complete_until_nothing(centre: Centre) -> None:
    assert complete_until_ns(centre.store, GATEWAY) == 0


def test_late_readings_make_a_new_revision_and_the_first_one_stays(
    centre: Centre, gateway: SigningGateway
) -> None:
    centre.take(gateway.batch(full_hour(), wall_ns=TEN + HOUR))
    centre.take_bundle(gateway.bundle)
    centre.compute()
    centre.take(gateway.batch(full_hour(2000), wall_ns=TEN + 2 * HOUR))
    centre.compute()
    revisions = centre.store.revisions(GATEWAY, 1, TEN)
    assert [one.value.value for one in revisions] == ["100.00", "150.00"]
    assert revisions[0].value.input_hash != revisions[1].value.input_hash


def test_computing_again_changes_nothing(centre: Centre, gateway: SigningGateway) -> None:
    centre.take(gateway.batch(full_hour(), wall_ns=TEN + HOUR))
    centre.take_bundle(gateway.bundle)
    centre.compute()
    before, files = current(centre), parts(centre)
    centre.store.mark_dirty(GATEWAY, TEN, TEN + HOUR)
    centre.compute()
    assert current(centre) == before
    assert parts(centre) == files


def test_a_batch_that_comes_between_reading_and_settling_keeps_the_hour_dirty(
    centre: Centre, gateway: SigningGateway
) -> None:
    centre.take(gateway.batch(full_hour(), wall_ns=TEN + HOUR))
    centre.take_bundle(gateway.bundle)
    (seen,) = centre.store.dirty_hours(10)
    centre.take(gateway.batch(full_hour(2000), wall_ns=TEN + 2 * HOUR))
    done = centre.evaluator.evaluate(seen, now_ns=centre.clock())
    assert not done.is_settled
    assert centre.store.hourly(facility=None, channel=1, from_ns=TEN, to_ns=TEN + HOUR) == ()
    assert parts(centre) == []
    assert centre.compute()[TEN].is_settled
    assert current(centre).value.value == "150.00"


def test_readings_wait_for_their_bundle_and_are_in_the_part_meanwhile(
    centre: Centre, gateway: SigningGateway
) -> None:
    centre.take(gateway.batch(full_hour(), wall_ns=TEN + HOUR))
    done = centre.compute()[TEN]
    assert (done.row_count, done.values) == (60, ())
    centre.take_bundle(gateway.bundle)
    centre.compute()
    assert current(centre).value.value == "100.00"


def test_an_hour_that_was_asked_for_without_data_is_settled_with_nothing(centre: Centre) -> None:
    centre.store.mark_dirty(GATEWAY, TEN, TEN + HOUR)
    done = centre.compute()[TEN]
    assert (done.is_settled, done.row_count, done.values) == (True, 0, ())
    assert parts(centre) == []


def test_a_part_holds_the_rows_as_signed_under_the_name_of_its_content(
    centre: Centre, gateway: SigningGateway
) -> None:
    gateway.channels = (NOX, FLAME)
    signed = rows([(TEN - SECOND, 1, 1), (TEN, 1, 1000), (TEN, 2, 1), (TEN + SECOND, 9, 5)])
    centre.take(gateway.batch(signed, wall_ns=TEN + HOUR))
    centre.take_bundle(gateway.bundle)
    centre.compute()
    part = centre.store.part(GATEWAY, TEN)
    assert part is not None
    file = centre.settings.parts / part.path
    assert sha256(file.read_bytes()).digest() == part.sha256
    assert part.path == f"{part.sha256.hex()}.parquet"
    table = pq.read_table(file).to_pydict()
    assert table["row"] == [1, 2, 3]
    for name in ("channel", "at", "mono", "raw", "status", "quality"):
        assert table[name] == signed[name][1:].tolist()
    assert table["integer"] == [1000, 1, None]
    read = read_part(file)
    assert (read.steps * read.resolution).tolist() == [100.0, 1.0, 0.0]
    assert read.is_number.tolist() == [True, True, False]


def test_a_part_is_the_same_file_whoever_makes_it_and_however_batches_came(
    tmp_path: Path, gateway: SigningGateway
) -> None:
    batches = [
        gateway.batch(
            rows([(TEN + (5 * batch + minute) * MINUTE, 1, minute) for minute in range(5)]),
            wall_ns=TEN + (5 * batch + 5) * MINUTE,
        )
        for batch in range(6)
    ]
    made = []
    for name, order in (("one", range(6)), ("other", (0, 3, 4, 1, 5, 2))):
        centre = Centre(tmp_path / name)
        centre.register(gateway)
        for index in order:
            centre.take(batches[index], flags=FrameFlag.BEFORE_FOLLOWS_LATER)
        centre.take_bundle(gateway.bundle)
        centre.compute()
        made.append((parts(centre), current(centre).value))
        centre.close()
    assert made[0] == made[1]
    assert len(made[0][0]) == 1


def test_a_new_part_replaces_the_old_file(centre: Centre, gateway: SigningGateway) -> None:
    centre.take(gateway.batch(full_hour(), wall_ns=TEN + HOUR))
    centre.take_bundle(gateway.bundle)
    centre.compute()
    before = parts(centre)
    centre.take(gateway.batch(full_hour(7), wall_ns=TEN + 2 * HOUR))
    centre.compute()
    assert len(parts(centre)) == 1
    assert parts(centre) != before


def test_an_evaluation_that_fails_leaves_nothing_behind(
    centre: Centre, gateway: SigningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    centre.take(gateway.batch(full_hour(), wall_ns=TEN + HOUR))
    broken = Evaluator(store=centre.store, plan=Plan(), parts=centre.settings.parts / "\0")
    with pytest.raises(ValueError, match="null"):
        broken.evaluate(centre.store.dirty_hours(1)[0], now_ns=TEN + HOUR)
    assert centre.store.dirty_hours(1) != ()


def test_a_facility_half_an_hour_off_gets_hours_of_its_own(
    tmp_path: Path, gateway: SigningGateway
) -> None:
    plan = Plan(facilities=(Facility(id="PLANT", utc_offset_minutes=330),))
    centre = Centre(tmp_path, plan=plan, now_ns=TEN + 3 * HOUR)
    centre.register(gateway)
    start = TEN + 30 * MINUTE
    readings = np.concatenate([full_hour(), full_hour(3000, start_ns=TEN + HOUR)])
    readings["scan"] = np.arange(len(readings))
    centre.take(gateway.batch(readings, wall_ns=TEN + 3 * HOUR))
    centre.take_bundle(gateway.bundle)
    centre.compute()
    found = centre.store.hourly(facility=None, channel=1, from_ns=TEN - HOUR, to_ns=TEN + 3 * HOUR)
    assert [(one.value.hour_ns - start) // HOUR for one in found] == [-1, 0, 1]
    assert current(centre, start).value.value == "200.00"
    centre.close()


def test_many_batches_of_many_configurations_make_one_hour(
    centre: Centre, gateway: SigningGateway
) -> None:
    for minute in range(60):
        gateway.channels = (replace(NOX, scale="0.1" if minute % 2 else "0.2"),)
        row = rows([(TEN + minute * MINUTE, 1, 1000)])
        centre.take(gateway.batch(row, wall_ns=TEN + (minute + 1) * MINUTE))
        if minute < 2:
            centre.take_bundle(gateway.bundle)
    centre.compute()
    assert current(centre).value.value == "150.00"
