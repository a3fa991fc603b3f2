"""Explain finds every forgery: each test changes one thing in the database, behind our back."""

import json
from dataclasses import replace

import pytest

from central_sync.cli.explain import chosen, facts, in_words
from central_sync.ingest.receipt_key import load_receipt_key
from central_sync.programs.hashes import output_hash
from central_sync.programs.plan import Facility, Plan
from edge_agent.wire.frame import FrameFlag
from edge_agent.wire.receipt import BatchPlace, Receipt, sign_receipt
from edge_agent.wire.vocabulary import Verdict
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
from tests.central_sync.explain.forging import explanation, failed, forge, revision


def test_a_value_that_was_computed_from_the_record_passes_every_step(computed: Centre) -> None:
    found = explanation(computed)
    assert failed(found) == set()
    assert [step.title for step in found.steps] == [
        *("Value", "Batches", "Signatures", "Contents", "Chain"),
        *("Receipts", "Channel table", "Rules", "Number"),
    ]
    assert [one.batch_no for one in found.batches] == [1, 2, 3, 4]
    assert found.newer == 0


@pytest.mark.parametrize(
    ("sql", "value", "steps"),
    [
        ("update hourly set value = ?", "99.99", {"Value", "Number"}),
        ("update hourly set used_count = ?", 5, {"Value", "Number"}),
        ("update hourly set input_hash = ?", bytes(32), {"Batches"}),
        ("update hourly set parameter_hash = ?", bytes(32), {"Rules"}),
        ("update hourly set kernel = ?", "0", {"Value", "Rules", "Number"}),
        ("update batch set signature = ? where batch_no = 2", bytes(64), {"Signatures"}),
        ("update batch set receipt = ? where batch_no = 2", bytes(185), {"Receipts"}),
        ("update batch set receipt = ? where batch_no = 2", b"short", {"Receipts"}),
        ("update gateway_key set key_id = ?", bytes(32), {"Signatures"}),
        (
            "update batch set header=(select header from batch where batch_no=5) where batch_no=?",
            0,
            {"Chain"},
        ),
        (
            "update batch set body = (select body from batch where batch_no=3) where batch_no=?",
            2,
            {"Contents", "Rules", "Number"},
        ),
        (
            "update batch set batch_hash = ? where batch_no = 2",
            bytes(32),
            {"Batches", "Signatures", "Receipts"},
        ),
        (
            "update bundle set body = cast(replace(body, '\"0.1\"', ?) as blob)",
            '"0.2"',
            {"Channel table", "Number"},
        ),
    ],
)
def test_a_forgery_fails_the_step_that_sees_it(
    computed: Centre, sql: str, value: object, steps: set[str]
) -> None:
    forge(computed, sql, value)
    found = failed(explanation(computed))
    assert steps <= found
    assert "Number" in found or steps.isdisjoint({"Contents", "Value"})


def test_a_number_forged_together_with_its_hash_is_still_found(computed: Centre) -> None:
    forged = replace(revision(computed).value, value="12.34")
    forge(computed, "update hourly set value = ?, output_hash = ?", "12.34", output_hash(forged))
    found = explanation(computed)
    assert failed(found) == {"Number"}
    assert "value is 12.34, should be 100.15" in found.steps[-1].finding


def test_a_batch_that_vanished_is_missed(computed: Centre) -> None:
    forge(computed, "delete from batch where batch_no = ?", 2)
    assert {"Batches", "Number"} <= failed(explanation(computed))


def test_a_bundle_that_vanished_leaves_the_readings_without_meaning(computed: Centre) -> None:
    forge(computed, "delete from bundle where length(config_hash) = ?", 32)
    assert {"Channel table", "Rules", "Number"} <= failed(explanation(computed))


def test_a_bundle_that_cannot_be_read_is_a_failure_not_an_accident(computed: Centre) -> None:
    forge(computed, "update bundle set body = ?", b"{")
    assert {"Channel table", "Rules", "Number"} <= failed(explanation(computed))


def test_a_channel_that_no_configuration_knows_fails(computed: Centre) -> None:
    forge(computed, "update hourly set name = ?", "SO2")
    assert {"Value", "Channel table", "Number"} <= failed(explanation(computed))


def test_a_plan_that_changed_since_is_named(computed: Centre) -> None:
    plan = Plan(facilities=(Facility(id="PLANT", utc_offset_minutes=60),))
    assert failed(explanation(computed, plan)) == {"Rules"}


def test_a_plan_whose_hours_begin_elsewhere_gives_no_value_to_compare(computed: Centre) -> None:
    plan = Plan(facilities=(Facility(id="PLANT", utc_offset_minutes=30),))
    assert failed(explanation(computed, plan)) == {"Rules", "Number"}


def test_a_receipt_that_says_another_verdict_is_found(computed: Centre) -> None:
    key = load_receipt_key(computed.settings.receipt_key)
    (batch, *_) = computed.store.batches_touching(GATEWAY, TEN, TEN + HOUR)
    place = BatchPlace.of(batch.header, batch.batch_hash)
    other = sign_receipt(key, place, verdict=Verdict.BRANCH, received_ns=TEN)
    forge(
        computed,
        "update batch set receipt = ? where batch_no = ?",
        other.pack(),
        batch.batch_no,
    )
    found = explanation(computed)
    assert failed(found) == {"Receipts"}
    assert "the receipt says BRANCH, the record ACCEPTED" in found.steps[5].finding


def test_batches_that_came_after_a_provisional_value_are_set_aside(
    centre: Centre, gateway: SigningGateway
) -> None:
    centre.take(gateway.batch(rows([(TEN, 1, 10)]), wall_ns=TEN + SECOND))
    centre.take_bundle(gateway.bundle)
    centre.compute()
    centre.clock.now_ns += SECOND
    centre.take(gateway.batch(rows([(TEN + MINUTE, 1, 20)]), wall_ns=TEN + 2 * MINUTE))
    found = explanation(centre)
    assert failed(found) == set()
    assert found.newer == 1
    assert "1 came since" in found.steps[1].finding


def test_a_predecessor_that_is_not_here_yet_is_said_and_is_no_forgery(
    centre: Centre, gateway: SigningGateway
) -> None:
    gateway.batch(rows([(TEN - HOUR, 1, 10)]), wall_ns=TEN - MINUTE)
    later = gateway.batch(rows([(TEN, 1, 10)]), wall_ns=TEN + SECOND)
    centre.take(later, flags=FrameFlag.BEFORE_FOLLOWS_LATER)
    centre.take_bundle(gateway.bundle)
    centre.compute()
    found = explanation(centre)
    assert failed(found) == set()
    assert "1 of those are not in the record" in found.steps[4].finding


def test_the_words_name_value_steps_and_verdict(computed: Centre) -> None:
    words = in_words(explanation(computed))
    assert words.startswith("NOX of PLANT, hour 2026-11-20T10:00:00Z: 100.15 ppm\n")
    assert words.count("PASS") == 9
    assert "This value follows from signed bytes." in words
    forge(computed, "update hourly set value = ?", "1")
    words = in_words(explanation(computed))
    assert words.count("FAIL") == 2
    assert "This value must not be relied on." in words


def test_an_hour_without_a_value_is_explained_too(centre: Centre, gateway: SigningGateway) -> None:
    centre.take(gateway.batch(rows([(TEN, 1, 10)], quality=4), wall_ns=TEN + HOUR))
    centre.take_bundle(gateway.bundle)
    centre.compute()
    words = in_words(explanation(centre))
    assert "no value" in words
    assert "a quarter of the hour in which the unit operated has no usable reading" in words


def test_the_facts_are_json_with_every_batch(computed: Centre) -> None:
    told = json.loads(json.dumps(facts(explanation(computed))))
    assert told["passed"] is True
    assert told["value"] == "100.15"
    assert [one["batch_no"] for one in told["batches"]] == [1, 2, 3, 4]
    assert len(told["steps"]) == 9


def test_without_an_hour_the_latest_final_one_is_chosen(computed: Centre) -> None:
    found = chosen(computed.store, channel=None, hour=None, facility=None, now_ns=TEN + 2 * HOUR)
    assert found is not None
    assert found.value.hour_ns == TEN


@pytest.mark.parametrize(
    ("channel", "hour", "facility", "hour_ns"),
    [
        ("NOX", "2026-11-20T09Z", None, TEN - HOUR),
        ("1", "2026-11-20T11Z", "PLANT", TEN + HOUR),
        ("SO2", None, None, None),
        ("7", None, None, None),
        (None, None, "OTHER", None),
        ("NOX", "2026-11-20T08Z", None, None),
    ],
)
def test_name_number_hour_and_facility_narrow_the_choice(
    computed: Centre,
    channel: str | None,
    hour: str | None,
    facility: str | None,
    hour_ns: int | None,
) -> None:
    found = chosen(computed.store, channel=channel, hour=hour, facility=facility, now_ns=TEN + HOUR)
    assert (None if found is None else found.value.hour_ns) == hour_ns


def test_a_forked_line_is_told_and_not_in_the_value(
    computed: Centre, gateway: SigningGateway
) -> None:
    before = revision(computed)
    gateway.position = replace(gateway.position, batch_no=3)
    taken = computed.take(
        gateway.batch(rows([(TEN + 30 * MINUTE, 1, 9)]), wall_ns=TEN + 31 * MINUTE),
        flags=FrameFlag.BEFORE_FOLLOWS_LATER,
    )
    assert Receipt.unpack(taken.receipts[0]).verdict is Verdict.BRANCH
    assert computed.compute() == {}
    found = explanation(computed)
    assert found.is_passed
    assert found.revision == before
    assert "1 batches of a forked line stand beside them" in found.steps[4].finding
