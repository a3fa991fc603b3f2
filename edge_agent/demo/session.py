"""One demonstration from beginning to end: install, run, watch, stop, account."""

import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from edge_agent.clock import NS_PER_S
from edge_agent.demo.account import Account, Arrived, arrived
from edge_agent.demo.analyzers import SIMULATED
from edge_agent.demo.answers import Fleet, HourlyPage, answer_of
from edge_agent.demo.site import FACILITY, Site
from edge_agent.errors import ExitCode
from edge_agent.identity import load_signing_key
from edge_agent.wire.frame import BatchFrame, frames

PROGRESS_S: Final = 5.0
STEP_S: Final = 0.25
EVALUATED_LIMIT_S: Final = 45.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of one demonstration.

    Attributes:
        seconds: end by itself after so long; None: at Ctrl-C.
        summary: write the account as JSON here.
        scenario: what the simulated stack goes through.
        seed: of the simulated stack.

    """

    seconds: float | None = None
    summary: Path | None = None
    scenario: str = "normal"
    seed: int = 1


def demonstrate(options: Options, say: Callable[[str], None]) -> ExitCode:
    """Run a demonstration; return OK when every reading is accounted for."""
    with tempfile.TemporaryDirectory(prefix="emissionwatch-demo-") as name:
        with Site(Path(name)) as site:
            site.install()
            site.start_all(options.scenario, options.seed)
            say(f"the centre's page: {site.centre_url}/  (Ctrl-C ends the demonstration)")
            began_ns = site.clock.now().utc_ns
            _watch(site, options.seconds, say)
            say("stopping: what was read is signed, committed and sent")
            account = _account(site, began_ns)
        say(account.text())
        if options.summary is not None:
            text = json.dumps(account.facts(), indent=1) + "\n"
            options.summary.write_text(text, encoding="utf-8")
    return ExitCode.OK if account.is_complete else ExitCode.FAILURE


def _watch(site: Site, seconds: float | None, say: Callable[[str], None]) -> None:
    """Say how it goes until the time is over or Ctrl-C."""
    until_ns = None if seconds is None else site.clock.now().mono_ns + round(seconds * NS_PER_S)
    say_at_ns = site.clock.now().mono_ns
    try:
        while until_ns is None or site.clock.now().mono_ns < until_ns:
            site.check()
            if site.clock.now().mono_ns >= say_at_ns:
                say(_progress(site))
                say_at_ns += round(PROGRESS_S * NS_PER_S)
            site.pause(STEP_S)
    except KeyboardInterrupt:
        return


def _progress(site: Site) -> str:
    status = site.status()
    if status is None:
        return "the agent is starting"
    alarms = ", ".join(alarm.reason for alarm in status.alarms) or "none"
    return (
        f"{status.buffer.readings} readings taken, "
        f"{status.buffer.unreceipted_readings} waiting for a receipt, alarms: {alarms}"
    )


def _account(site: Site, began_ns: int) -> Account:
    """Stop the agent and the plant, then count from both ends."""
    ended_ns = site.clock.now().utc_ns
    status = site.status()
    started_ns = began_ns if status is None else status.agent.started_ns
    site.stop("agent")
    site.stop_plant()
    buffer = site.buffer_info()
    there = _at_the_centre(site)
    seconds = (ended_ns - started_ns) / NS_PER_S
    return Account(
        seconds=seconds,
        # Every device is polled at the start and then once a second.
        due=(int(seconds) + 1) * site.channel_count,
        taken=buffer.readings,
        delivered=there.readings,
        buffered=buffer.unreceipted_readings,
        duplicates=there.duplicates,
        batches_verified=there.batches_verified,
        batches_failed=there.batches_failed,
        gaps=there.gaps,
        hourly_values=_hourly_values(site, there.readings),
        explained=site.is_explained(),
        protocols=tuple(one.protocol for one in SIMULATED),
    )


def _at_the_centre(site: Site) -> Arrived:
    key = load_signing_key(site.gateway / "gateway.key").verifying_key
    return arrived(_batches(site), key)


def _batches(site: Site) -> Iterator[BatchFrame]:
    """Yield every batch of the gateway's chain that the centre holds."""
    (gateway,) = answer_of(site.get("/v1/fleet/gateways").text, Fleet).gateways
    if gateway.head is None:
        return
    for number in range(gateway.head.batch_no + 1):
        answer = site.get(f"/v1/batches/{gateway.id}/{gateway.head.chain}/{number}")
        if answer.status_code == httpx.codes.OK:
            (frame,) = frames(answer.content)
            if isinstance(frame, BatchFrame):
                yield frame


def _hourly_values(site: Site, readings: int) -> int:
    """Return the number of hourly values, once the centre has calculated with every reading."""
    until_ns = site.clock.now().mono_ns + round(EVALUATED_LIMIT_S * NS_PER_S)
    while True:
        values = answer_of(site.get(f"/v1/hourly?facility={FACILITY}").text, HourlyPage).values
        received = sum(value.readings.received for value in values)
        if received >= readings or site.clock.now().mono_ns > until_ns:
            return sum(value.value is not None for value in values)
        site.pause(STEP_S)
