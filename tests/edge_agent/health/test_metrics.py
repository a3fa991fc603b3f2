"""The metrics: what Prometheus's own checker says of them, and that they tell the snapshot."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace

import pytest

from edge_agent.health.metrics import PREFIX, exposition
from edge_agent.health.status import ClockStatus
from tests.edge_agent.health.snapshots import DEVICE, MINUTE_NS, NOW_NS, WELL, Uplink

PROMTOOL = shutil.which("promtool")
SICK = replace(
    WELL,
    devices=(
        DEVICE,
        replace(
            DEVICE,
            name='odd "name" \\ here',
            last_ok_ns=None,
            misses=4,
            gap_since_ns=NOW_NS - 20 * MINUTE_NS,
            last_error="no answer",
        ),
    ),
    uplink=Uplink(last_contact_ns=None, last_receipt_ns=None, alarms=("fork",)),
    clock=ClockStatus(state=0, error_ms=None),
)


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is missing: make system-packages")
@pytest.mark.parametrize("snapshot", [WELL, SICK], ids=["well", "sick"])
def test_promtool_has_nothing_to_say(snapshot: object) -> None:
    result = subprocess.run(
        [str(PROMTOOL), "check", "metrics"],
        input=exposition(WELL if snapshot is WELL else SICK),
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (result.stdout, result.stderr, result.returncode) == ("", "", 0)


def samples(text: str) -> dict[str, float]:
    """Return every sample by its name and labels."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_the_metrics_tell_what_the_snapshot_tells() -> None:
    found = samples(exposition(SICK))
    odd = 'device="odd \\"name\\" \\\\ here"'
    assert found[PREFIX + "device_gap_open{" + odd + "}"] == 1
    assert found[PREFIX + "device_gap_polls{" + odd + "}"] == 4
    assert found[PREFIX + 'device_gap_open{device="nox-1"}'] == 0
    assert found[PREFIX + "readings_total"] == 60_000
    assert found[PREFIX + "oldest_unreceipted_age_seconds"] == 60
    assert found[PREFIX + 'clock_state{state="unset"}'] == 1
    assert found[PREFIX + 'clock_state{state="ntp"}'] == 0
    assert found[PREFIX + 'alarm_active{reason="uplink_fork",subject="uplink"}'] == 1
    assert found[PREFIX + "start_time_seconds"] == (NOW_NS - 60 * MINUTE_NS) / 1e9


def test_what_is_not_known_has_no_sample() -> None:
    found = exposition(SICK)
    assert "clock_error_seconds" not in found
    assert "uplink_last_contact_timestamp_seconds" not in found
    assert f'{PREFIX}device_last_answer_timestamp_seconds{{device="odd' not in found


def test_every_name_carries_the_prefix_and_is_told_once() -> None:
    lines = exposition(WELL).splitlines()
    names = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(names) == len(set(names))
    assert all(name.startswith(PREFIX) for name in names)
