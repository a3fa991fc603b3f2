"""`central-sync explain`: one hourly value, followed back to signed bytes, PASS or FAIL by step."""

import argparse
import json
from collections.abc import Mapping, Sequence
from typing import Final

from central_sync.app import opened
from central_sync.calc.clock_hours import DAY_NS, HOUR_NS, parse_time, time_text
from central_sync.cli.settings import settings_of
from central_sync.config import ExitCode, OperatorError
from central_sync.evaluate.plan_file import load_plan
from central_sync.explain import Explainer, Explanation
from central_sync.model import HourlyRevision, StoredBatch
from central_sync.programs.detail import IN_WORDS, Detail, parse_detail
from central_sync.store.port import Store
from edge_agent.wire.canonical import JsonValue

DEFAULT_LOOK_BACK_NS: Final = 31 * DAY_NS
"""Without an hour, the latest value of the last 31 days is explained."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "--channel", help="name or number of the channel; without it, any that has a value"
    )
    parser.add_argument(
        "--hour", help="start of the hour in UTC, 2026-11-20T10Z; without it, the latest"
    )
    parser.add_argument("--facility", help="facility, where several have a channel of that name")
    parser.add_argument("--json", action="store_true", help="print the facts as one JSON object")


def run(arguments: argparse.Namespace) -> ExitCode:
    """Print how a value follows from signed bytes; exit code 1 when it does not."""
    with opened(settings_of(arguments)) as centre:
        plan = load_plan(centre.settings.plan)
        try:
            revision = chosen(
                centre.store,
                channel=arguments.channel,
                hour=arguments.hour,
                facility=arguments.facility,
                now_ns=centre.now_ns(),
            )
        except ValueError as error:
            raise OperatorError(f"--hour: {error}", exit_code=ExitCode.USAGE) from error
        if revision is None:
            raise OperatorError(
                "there is no such hourly value here. Channels and hours with one: GET /v1/hourly",
                exit_code=ExitCode.FAILURE,
            )
        explainer = Explainer(
            store=centre.store, plan=plan, receipt_key=centre.receipt_key.verifying_key
        )
        explanation = explainer.explain(revision)
    print(json.dumps(facts(explanation), indent=2) if arguments.json else in_words(explanation))
    return ExitCode.OK if explanation.is_passed else ExitCode.FAILURE


def chosen(
    store: Store, *, channel: str | None, hour: str | None, facility: str | None, now_ns: int
) -> HourlyRevision | None:
    """Return the value that is meant; None when there is none.

    Without an hour: the latest one with a value, a final one before a provisional one.

    Raises:
        ValueError: the hour is no time.

    """
    if hour is None:
        from_ns, to_ns = now_ns - DEFAULT_LOOK_BACK_NS, now_ns + HOUR_NS
    else:
        from_ns = parse_time(hour)
        to_ns = from_ns + HOUR_NS
    number = int(channel) if channel is not None and channel.isdecimal() else None
    found = [
        one
        for one in store.hourly(facility=facility, channel=number, from_ns=from_ns, to_ns=to_ns)
        if channel is None or number is not None or one.value.name == channel
    ]
    if hour is None:
        found = [one for one in found if one.value.value is not None]
    return max(
        found,
        key=lambda one: (not one.value.is_provisional, one.value.hour_ns, -one.value.channel),
        default=None,
    )


def in_words(explanation: Explanation) -> str:
    """Return an explanation for a person."""
    value = explanation.revision.value
    detail = parse_detail(value.detail)
    number = "no value" if value.value is None else f"{value.value} {value.unit_of_measure}"
    marks = [
        words
        for applies, words in (
            (value.is_provisional, "PROVISIONAL: the hour is not over or not complete"),
            (value.is_simulated, "SIMULATED: not from a real stack"),
            (
                detail.time_uncertain,
                "TIME UNCERTAIN: a reading may belong to another hour, or one of another to this",
            ),
            (detail.no_value is not None, detail.no_value and IN_WORDS[detail.no_value]),
        )
        if applies
    ]
    lines = [
        f"{value.name} of {value.facility}, hour {time_text(value.hour_ns)}: {number}",
        *(f"  ({mark})" for mark in marks),
        f"  mean of {value.used_count} of {value.reading_count} readings; by quarter of the hour:",
        f"  used {_list(detail.used)}, minutes operating {_list(detail.operating_minutes)}",
        f"  operation: {detail.operating_source}",
        *_clock_words(detail),
        "",
    ]
    width = max(len(step.title) for step in explanation.steps)
    lines += [
        f"{'PASS' if step.is_passed else 'FAIL'}  {index}  {step.title:<{width}}  {step.finding}"
        for index, step in enumerate(explanation.steps, start=1)
    ]
    held = sum(step.is_passed for step in explanation.steps)
    verdict = (
        "This value follows from signed bytes."
        if explanation.is_passed
        else ("This value must not be relied on.")
    )
    return "\n".join([*lines, "", f"{held} of {len(explanation.steps)} steps hold. {verdict}"])


def _clock_words(detail: Detail) -> list[str]:
    if not detail.untrusted and not detail.corrected:
        return []
    words = f"{detail.untrusted} readings by one that was not trusted, the time of"
    return [f"  clock: {words} {detail.corrected} was set right"]


def facts(explanation: Explanation) -> Mapping[str, JsonValue]:
    """Return an explanation for a program."""
    value = explanation.revision.value
    return {
        "passed": explanation.is_passed,
        "facility": value.facility,
        "gateway": str(value.gateway_id),
        "channel": value.channel,
        "name": value.name,
        "hour": time_text(value.hour_ns),
        "value": value.value,
        "unit_of_measure": value.unit_of_measure,
        "provisional": value.is_provisional,
        "simulated": value.is_simulated,
        "time_uncertain": parse_detail(value.detail).time_uncertain,
        "revision": explanation.revision.revision,
        "input_hash": value.input_hash.hex(),
        "output_hash": value.output_hash.hex(),
        "steps": [
            {"step": step.title, "passed": step.is_passed, "finding": step.finding}
            for step in explanation.steps
        ],
        "batches": [_batch_facts(batch) for batch in explanation.batches],
        "newer_batches": explanation.newer,
    }


def _list(counts: Sequence[int]) -> str:
    return " ".join(map(str, counts))


def _batch_facts(batch: StoredBatch) -> Mapping[str, JsonValue]:
    header = batch.header
    return {
        "chain": str(header.chain_id),
        "batch_no": header.batch_no,
        "batch_hash": batch.batch_hash.hex(),
        "key_id": header.key_id.hex(),
        "config_hash": header.config_hash.hex(),
        "first_seq": header.first_seq,
        "record_count": header.record_count,
        "received": time_text(batch.received_ns),
    }
