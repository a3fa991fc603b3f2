"""Another configuration on a running agent: what stays, what comes back, what is not touched.

Whole processes: the simulated plant, the agent, and `edge-agent apply` as a technician runs it.
"""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from edge_agent.buffer.reading import opened_read_only
from edge_agent.buffer.verifying import THOROUGH, Intact, inspect_file
from edge_agent.config.loading import load_plan
from edge_agent.errors import ExitCode
from edge_agent.identity import load_signing_key
from edge_agent.wire.batch import open_body
from edge_agent.wire.events import Event, parse_event
from edge_agent.wire.header import Header
from tests.system.installation import (
    AGENT,
    COMMAND_LIMIT_S,
    ROOT,
    Installation,
    free_port,
    wait_until,
)
from tests.system.relay import Relay

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.system

Json = dict[str, "Json"] | list["Json"] | str | int | None


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Installation]:
    """Yield a gateway with two devices; its agent does not run yet."""
    with Installation(tmp_path, seed=3, device_count=2) as place:
        place.install(place.centre_port)
        place.config.write_text(place.config.read_text() + "\n[apply]\nprobation_s = 2.0\n")
        yield place


def start(place: Installation) -> None:
    place.start_agent()
    wait_until("readings of both", lambda: answering(place) == 2, limit_s=30.0)


def asked(place: Installation, command: str, *words: str) -> tuple[int, dict[str, Json]]:
    """Run a command; return its exit code and its facts."""
    done = subprocess.run(
        (*AGENT, command, "--config", str(place.config), "--json", *words),
        capture_output=True,
        text=True,
        timeout=COMMAND_LIMIT_S,
        cwd=ROOT,
        check=False,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def status(place: Installation) -> dict[str, Json]:
    return asked(place, "status")[1]


def answering(place: Installation) -> int:
    """Return how many devices have answered and answer still."""
    devices = status(place).get("devices", [])
    assert isinstance(devices, list)
    return sum(
        isinstance(one, dict) and one["last_ok_ns"] is not None and one["gap_since_ns"] is None
        for one in devices
    )


def alarms(place: Installation) -> set[str]:
    raised = status(place)["alarms"]
    assert isinstance(raised, list)
    return {str(one["reason"]) for one in raised if isinstance(one, dict)}


def device_file(place: Installation, number: int) -> Path:
    return place.gateway / "devices.d" / f"stack-{number}.toml"


def endpoint(place: Installation, number: int) -> str:
    plan = load_plan(place.config, environ={}, overrides={})
    return str(plan.devices[number - 1].endpoint)


def logged(place: Installation, event: str) -> list[dict[str, Json]]:
    lines = (place.folder / "agent.log").read_text().splitlines()
    return [log for log in map(json.loads, lines) if log.get("event") == event]


def behind(place: Installation, number: int) -> Relay:
    """Return a relay that the file of a device names from now on."""
    path = device_file(place, number)
    address = endpoint(place, number)
    relay = Relay(int(address.rpartition(":")[2]))
    path.write_text(path.read_text().replace(address, f"tcp://127.0.0.1:{relay.port}"))
    return relay


def signed_events(place: Installation) -> list[Event]:
    """Return every event in the buffer, after all of it was verified."""
    plan = load_plan(place.config, environ={}, overrides={}).settings
    key = load_signing_key(plan.gateway.key_file).verifying_key
    found = inspect_file(place.buffer, gateway_id=plan.gateway.id, key=key, depth=THOROUGH)
    assert isinstance(found, Intact), found
    with opened_read_only(place.buffer) as connection:
        rows = connection.execute("SELECT header, body FROM sealed ORDER BY position").fetchall()
    parts = [open_body(Header.unpack(header), body) for header, body in rows]
    return [parse_event(line) for one in parts for line in one.event_lines]


def move_to_nowhere(place: Installation, number: int) -> None:
    """Let a device's file name an address where nobody answers."""
    path = device_file(place, number)
    address = endpoint(place, number)
    path.write_text(path.read_text().replace(address, f"tcp://127.0.0.1:{free_port()}"))


def test_a_change_that_loses_a_good_channel_is_rolled_back_and_one_that_does_not_stays(
    plant: Installation,
) -> None:
    with behind(plant, 1) as changed, behind(plant, 2) as untouched:
        start(plant)
        good = device_file(plant, 1).read_text()
        before = status(plant)["configuration"]

        move_to_nowhere(plant, 1)
        code, shown = asked(plant, "apply", "--dry-run")
        assert (code, shown["outcome"]) == (ExitCode.OK, "dry run")
        assert kinds(shown) == {"stack-1": "changed", "stack-2": "unchanged"}
        assert status(plant)["configuration"] == before

        code, shown = asked(plant, "apply", "--wait")
        assert (code, shown["outcome"]) == (ExitCode.FAILURE, "rolled back")
        wait_until("the device again", lambda: answering(plant) == 2, limit_s=20.0)
        assert "configuration_rolled_back" in alarms(plant)
        assert (changed.count, untouched.count) == (2, 1)

        device_file(plant, 1).write_text(good.replace("period_s = 0.1", "period_s = 0.2"))
        code, shown = asked(plant, "apply", "--wait")
        assert (code, shown["outcome"]) == (ExitCode.OK, "accepted")
        assert "configuration_rolled_back" not in alarms(plant)
        assert (changed.count, untouched.count) == (3, 1)
        plant.stop("agent")

    events = signed_events(plant)
    (note,) = (one for one in events if one.type == "note" and "refused_edition" in one.fields)
    assert str(note.fields["text"]).startswith("configuration rolled back: good before")
    assert len([one for one in events if one.type == "continue"]) == 1


def kinds(shown: dict[str, Json]) -> dict[str, str]:
    """Return what happens to each device."""
    devices = shown["devices"]
    assert isinstance(devices, list)
    return {str(one["name"]): str(one["kind"]) for one in devices if isinstance(one, dict)}


def test_a_mistake_never_reaches_the_agent_and_a_kill_on_probation_brings_the_accepted_files_back(
    plant: Installation,
) -> None:
    start(plant)
    before = status(plant)["configuration"]
    path = device_file(plant, 1)
    good = path.read_text()
    path.write_text("perod_s = 1.0\n" + good)
    code, shown = asked(plant, "apply")
    assert (code, shown["outcome"]) == (ExitCode.CONFIGURATION, "refused")
    assert "Did you mean 'period_s'?" in str(shown["problems"])
    assert status(plant)["configuration"] == before

    path.write_text(good)
    move_to_nowhere(plant, 2)
    code, shown = asked(plant, "apply")
    assert (code, shown["outcome"]) == (ExitCode.OK, "on probation")
    plant.kill("agent")
    start(plant)
    assert "configuration_rolled_back" in alarms(plant)
    stood_in = [log["edition"] for log in logged(plant, "configuration.stood_in")]
    assert stood_in == [shown["running_edition"]]
