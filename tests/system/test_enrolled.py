"""A gateway's whole life with real processes over TLS: token, enrolment, another key, farewell."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pytest

from edge_agent.clock import NS_PER_S, SystemClock
from edge_agent.identity import load_signing_key
from edge_agent.technician.asking import asked
from tests.edge_agent.at_work import GOOD

ROOT = Path(__file__).parents[2]
LIMIT_S = 60
EDGE = (sys.executable, "-m", "edge_agent")
CENTRE = (sys.executable, "-m", "central_sync")

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]


@contextmanager
def running(*command: str | Path) -> Iterator[subprocess.Popen[str]]:
    """Run a process beside a block; stop it in order."""
    process = subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, cwd=ROOT, text=True, env=os.environ
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def done(*command: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    ended = subprocess.run(
        list(map(str, command)),
        capture_output=True,
        check=False,
        cwd=ROOT,
        text=True,
        timeout=LIMIT_S,
        stdin=subprocess.DEVNULL,
    )
    assert ended.returncode == code, (command, ended.stdout, ended.stderr)
    return ended


def until(is_so: Callable[[], bool]) -> None:
    """Return once something is so."""
    end_ns = SystemClock().now().mono_ns + LIMIT_S * NS_PER_S
    while not is_so():
        assert SystemClock().now().mono_ns < end_ns
        Event().wait(0.1)


@contextmanager
def agent(config: Path) -> Iterator[None]:
    """Run the agent beside a block, once it answers."""
    with running(*EDGE, "run", "--config", config):
        until((config.parent / "agent.sock").exists)
        yield


def unsent(config: Path) -> int:
    """Return how many batches wait for a receipt."""
    status = asked(config.parent / "agent.sock") or {}
    buffer = status["buffer"]
    assert isinstance(buffer, dict)
    return int(str(buffer["unreceipted_batches"]))


def test_a_gateway_enrols_changes_its_key_and_leaves(tmp_path: Path) -> None:
    state, place = tmp_path / "centre", tmp_path / "gateway"
    state.mkdir()
    (state / "centre.toml").write_text('allow_simulated = true\n[tls]\nnames = ["127.0.0.1"]\n')
    centre = ("--state", state)
    config, code = place / "agent.toml", tmp_path / "code"
    serve = (*CENTRE, "serve", *centre, "--listen", "127.0.0.1:0")
    done(*CENTRE, "gateway", *centre, "token", "stack-1", "--facility", "PLANT", "--out", code)
    assert code.stat().st_mode & 0o777 == 0o600
    with running(*serve) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        enrol = (*EDGE, "enroll", url, "--token", code, "--simulated", "--json")
        paths = ("--config", config, "--state", place, "--socket", place / "agent.sock")
        facts = json.loads(done(*enrol, *paths).stdout)
        _describe_a_device(config)
        first_key = tmp_path / "first.key"
        first_key.write_text(load_signing_key(place / "gateway.key").public_bytes.hex())
        with agent(config):
            until(lambda: unsent(config) == 0)
            told = json.loads(done(*EDGE, "keys", "rotate", "--config", config, "--json").stdout)
            assert (told["is_done"], told["old_key_id"]) == (True, facts["key_id"])
            until(lambda: not (place / "gateway.key.old").exists())
            shown = json.loads(done(*EDGE, "keys", "show", "--config", config, "--json").stdout)
            assert (shown["key_id"], shown["old_key_id"]) == (told["key_id"], None)
            leave = (*EDGE, "decommission", "--config", config, "--who", "A. Smith", "--json")
            assert "the agent runs" in done(*leave, "--yes", code=75).stderr
        _judge_both_keys(state, tmp_path / "archive", first_key)
        renewed = done(*EDGE, "keys", "renew", "--config", config, "--json").stdout
        assert re.search(r'until": "20\d\d-', renewed)
        assert "nobody to ask" in done(*leave, code=2).stderr
        gone = json.loads(done(*leave, "--yes").stdout)
        assert gone["unsent_batches"] == 0
        assert {Path(path).name for path in gone["wiped"]} == {"gateway.key", "tls.pem"}
        assert not (place / "gateway.key").exists()
    listed = json.loads(done(*CENTRE, "gateway", *centre, "list", "--json").stdout)
    (gateway,) = listed["gateways"]
    assert gateway["revoked"] is not None
    assert [key["key_id"] for key in gateway["keys"]] == [facts["key_id"], told["key_id"]]


def _judge_both_keys(state: Path, archive: Path, first_key: Path) -> None:
    """Let the auditor verify what both keys signed, and a stranger who was given the first."""
    done(*CENTRE, "archive", "--state", state, "export", archive)
    assert done(*CENTRE, "verify", archive).stdout.endswith("PASS\n")
    checker = ROOT / "tests" / "independent" / "checker.py"
    judged = done(sys.executable, checker, state / "centre.db", "--key", first_key)
    report = json.loads(judged.stdout)
    assert (report["chains"], report["rotations"]) == (2, 1)


def _describe_a_device(config: Path) -> None:
    """Give the gateway the device of a good configuration, which is not there; commit quickly."""
    shutil.copy(GOOD / "devices.d" / "stack-1.toml", config.parent / "devices.d")
    device = config.parent / "devices.d" / "stack-1.toml"
    device.write_text(device.read_text().replace("127.0.0.1:5020", "127.0.0.1:1"))
    text = config.read_text().replace("[buffer]\n", "[buffer]\ncommit_interval_s = 1.0\n")
    config.write_text(text.replace("[centre]\n", "[centre]\nupload_interval_s = 1.0\n"))
