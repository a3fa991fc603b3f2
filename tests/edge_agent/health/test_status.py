"""Which states are alarms, and from when on; both sides of every limit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge_agent.health.alarms import Alarm, alarms, unready
from edge_agent.health.status import (
    BufferStatus,
    ClockStatus,
    ConfigurationStatus,
    SalvageStatus,
    Snapshot,
)
from tests.edge_agent.health.snapshots import BUFFER, DEVICE, MINUTE_NS, NOW_NS, WELL, Uplink


def reasons(snapshot: Snapshot) -> list[str]:
    """Return the reasons of all alarms."""
    return [alarm.reason for alarm in alarms(snapshot)]


def test_a_well_agent_has_no_alarm() -> None:
    assert alarms(WELL) == ()


def test_a_device_that_is_silent_for_fifteen_minutes_is_an_alarm() -> None:
    silent = replace(
        DEVICE, name="so2-1", gap_since_ns=NOW_NS - 15 * MINUTE_NS, last_error="no answer"
    )
    brief = replace(DEVICE, gap_since_ns=NOW_NS - 15 * MINUTE_NS + 1, last_error="no answer")
    assert alarms(replace(WELL, devices=(brief, silent))) == (
        Alarm(reason="device_silent", subject="so2-1", text="no answer for 15 minutes: no answer"),
    )


QUOTA = BUFFER.quota_bytes
BUFFERS: dict[str, tuple[BufferStatus, list[str]]] = {
    "full": (replace(BUFFER, is_full=True), ["buffer_full"]),
    "much receipted": (replace(BUFFER, used_bytes=QUOTA), []),
    "just enough left": (
        replace(BUFFER, used_bytes=QUOTA, unreceipted_bytes=QUOTA * 8 // 10),
        [],
    ),
    "nearly full": (
        replace(BUFFER, used_bytes=QUOTA, unreceipted_bytes=QUOTA * 8 // 10 + 1),
        ["buffer_nearly_full"],
    ),
    "refused by a full disk": (replace(BUFFER, is_full=True, fault="full"), ["storage_full"]),
    "read-only": (
        replace(BUFFER, is_full=True, fault="readonly", volatile_readings=7),
        ["storage_readonly"],
    ),
    "failing": (replace(BUFFER, is_full=True, fault="failing"), ["storage_failing"]),
    "disk low": (replace(BUFFER, disk_level="low", disk_free_bytes=1), ["disk_low"]),
    "given up": (replace(BUFFER, given_up_readings=1), ["readings_given_up"]),
    "half a day": (replace(BUFFER, lasts_days=0.5), ["quota_short"]),
    "a day": (replace(BUFFER, lasts_days=1.0), []),
}


@pytest.mark.parametrize(("buffer", "expected"), BUFFERS.values(), ids=BUFFERS.keys())
def test_a_buffer_is_an_alarm_when_it_cannot_keep_what_is_read_or_soon_cannot(
    buffer: BufferStatus, expected: list[str]
) -> None:
    assert reasons(replace(WELL, buffer=buffer)) == expected


LONG_AGO = NOW_NS - 15 * MINUTE_NS


@pytest.mark.parametrize(
    ("last_contact_ns", "waiting", "expected"),
    [
        (LONG_AGO + 1, 1, []),
        (LONG_AGO, 1, ["centre_unreachable"]),
        (LONG_AGO, 0, []),
        (None, 1, ["centre_unreachable"]),
    ],
    ids=["in time", "out of time", "nothing to send", "never since the start"],
)
def test_a_centre_out_of_reach_is_an_alarm_while_something_waits(
    last_contact_ns: int | None, waiting: int, expected: list[str]
) -> None:
    snapshot = replace(
        WELL,
        uplink=Uplink(last_contact_ns=last_contact_ns),
        buffer=replace(BUFFER, unreceipted_batches=waiting),
    )
    assert reasons(snapshot) == expected


def test_alarms_of_the_uplink_carry_its_name_and_its_last_error() -> None:
    uplink = Uplink(alarms=("fork", "held_for_key"), last_error="the centre answered 403, key")
    found = alarms(replace(WELL, uplink=uplink))
    assert [(one.reason, one.text) for one in found] == [
        ("uplink_fork", "the centre answered 403, key"),
        ("uplink_held_for_key", "the centre answered 403, key"),
    ]


@pytest.mark.parametrize(("state", "name"), [(0, "unset"), (3, "rtc"), (5, "manual")])
def test_a_clock_of_unknown_error_is_an_alarm(state: int, name: str) -> None:
    [alarm] = alarms(replace(WELL, clock=ClockStatus(state=state, error_ms=None)))
    assert alarm.reason == "clock_untrusted"
    assert name in alarm.text


def test_a_damaged_buffer_is_an_alarm_until_somebody_has_looked() -> None:
    salvage = SalvageStatus(folders=2, unseen=1, salvaged_batches=70, lost_batches=3)
    (alarm,) = alarms(replace(WELL, buffer=replace(BUFFER, salvage=salvage)))
    assert (alarm.reason, alarm.subject) == ("buffer_quarantined", "buffer")
    assert "70 batches brought back, 3 lost" in alarm.text
    (alarm,) = alarms(replace(WELL, buffer=replace(BUFFER, salvage=replace(salvage, reason="x"))))
    assert alarm.text.endswith("It does not go on: x")
    assert not alarms(replace(WELL, buffer=replace(BUFFER, salvage=replace(salvage, unseen=0))))


def test_another_machine_is_an_alarm_that_names_the_facts() -> None:
    (alarm,) = alarms(replace(WELL, hardware_changed=("cid", "mac")))
    assert (alarm.reason, alarm.subject) == ("hardware_changed", "hardware")
    assert "cid, mac" in alarm.text


def test_only_what_stops_recording_makes_the_agent_unready() -> None:
    lonely = replace(WELL, devices=(), uplink=Uplink(last_contact_ns=None, alarms=("fork",)))
    assert unready(lonely) == ()
    assert unready(replace(WELL, buffer=replace(BUFFER, is_full=True))) == ("buffer_full",)
    refused = replace(BUFFER, is_full=True, fault="readonly")
    assert unready(replace(WELL, buffer=refused)) == ("storage_readonly",)


def test_a_configuration_that_does_not_run_is_an_alarm_that_says_why() -> None:
    back = ConfigurationStatus(rolled_back="ab", rolled_back_why="good before and bad since: NOx")
    refused = ConfigurationStatus(problems=("devices.d/a.toml:1: not TOML", "and another"))
    assert alarms(replace(WELL, configuration=back)) == (
        Alarm(
            reason="configuration_rolled_back",
            subject="configuration",
            text="the files of the configuration do not run: good before and bad since: NOx",
        ),
    )
    assert [alarm.text for alarm in alarms(replace(WELL, configuration=refused))] == [
        "the last reload was refused: devices.d/a.toml:1: not TOML"
    ]
    assert reasons(replace(WELL, configuration=ConfigurationStatus(probation_until_ns=1))) == []
