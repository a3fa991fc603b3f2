"""Polls that fall due while a device changes its configuration are told as a gap."""

import asyncio
import socket
from dataclasses import replace

import pytest

from edge_agent.config.device import Device, Endpoint
from edge_agent.config.protocols.modbus import ModbusSpeech, speech_of
from edge_agent.health.systemd import Progress
from edge_agent.polling import Pollers
from tests.edge_agent.line import S, SteppedClock, intake_of


def unreachable() -> Device:
    """Return a device at a port of this machine where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return Device(
        name="a",
        endpoint=Endpoint(scheme="tcp", host="127.0.0.1", port=port),
        speech=ModbusSpeech(unit_id=1, max_registers_per_read=125, unreadable=()),
        period_s=1.0,
        timeout_s=0.5,
        points=(),
        channels=(),
        limits=(),
        status_rules=(),
    )


@pytest.mark.asyncio
async def test_polls_that_fell_due_during_a_change_are_a_gap_of_the_changed_device() -> None:
    clock = SteppedClock()
    intake = intake_of(clock)
    before = unreachable()
    after = replace(before, speech=replace(speech_of(before.speech), unit_id=2))
    async with asyncio.timeout(30), Pollers(intake, clock=clock, progress=Progress()) as pollers:
        await pollers.apply([before])
        await pollers.stop_changed([after])
        clock.mono_ns += 10 * S
        events = len(intake.recent.events)
        pollers.start_changed([after])
        while len(intake.recent.events) == events:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0)
        gap = intake.recent.events[events]
    assert (gap.fields["state"], gap.fields["missed"]) == ("open", 11)
