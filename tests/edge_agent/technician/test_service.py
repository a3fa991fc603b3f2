"""How the running agent is told to read its files again, and by whom."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge_agent.errors import ExitCode, OperatorError
from edge_agent.technician.asking import agent_pid
from edge_agent.technician.service import reload_agent, unit_facts

LIMIT_S = 30
# Listens as an agent does, and says when it is told to reload.
AGENT = """
import signal, socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
signal.signal(signal.SIGHUP, lambda *_: (print("reloaded", flush=True), sys.exit(0)))
print("listening", flush=True)
signal.pause()
"""
# A service manager whose unit has the main process MAIN_PID, and whose reload is written down.
SYSTEMCTL = """\
#!/bin/sh
if [ "$1" = show ]; then echo "MainPID=$MAIN_PID"; exit 0; fi
echo "$@" >> "$RELOADS"
exit "$RELOAD_CODE"
"""


@contextmanager
def agent_at(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Yield a process that listens at a socket."""
    process = subprocess.Popen(
        (sys.executable, "-c", AGENT, str(path)), stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "listening\n"
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=LIMIT_S)


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file in which a service manager of this test notes what it was told."""
    program = tmp_path / "bin" / "systemctl"
    program.parent.mkdir()
    program.write_text(SYSTEMCTL)
    program.chmod(0o755)
    reloads = tmp_path / "reloads"
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("RELOADS", str(reloads))
    monkeypatch.setenv("RELOAD_CODE", "0")
    monkeypatch.setenv("MAIN_PID", "0")
    return reloads


def test_the_process_behind_the_socket_is_known(tmp_path: Path) -> None:
    with agent_at(tmp_path / "s") as agent:
        assert agent_pid(tmp_path / "s") == agent.pid


def test_an_agent_that_is_no_service_gets_a_signal(tmp_path: Path, manager: Path) -> None:
    with agent_at(tmp_path / "s") as agent:
        assert reload_agent(tmp_path / "s") == f"SIGHUP to process {agent.pid}"
        assert agent.stdout is not None
        assert agent.stdout.readline() == "reloaded\n"
    assert not manager.exists()


def test_an_agent_that_is_a_service_is_reloaded_by_its_manager(
    tmp_path: Path, manager: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with agent_at(tmp_path / "s") as agent:
        monkeypatch.setenv("MAIN_PID", str(agent.pid))
        assert reload_agent(tmp_path / "s") == "systemctl reload edge-agent.service"
        assert agent.poll() is None
    assert manager.read_text() == "reload edge-agent.service\n"


def test_a_manager_that_refuses_is_told(
    tmp_path: Path, manager: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with agent_at(tmp_path / "s") as agent:
        monkeypatch.setenv("MAIN_PID", str(agent.pid))
        monkeypatch.setenv("RELOAD_CODE", "4")
        with pytest.raises(OperatorError, match="Use sudo"):
            reload_agent(tmp_path / "s")


def test_the_agents_own_user_sends_the_signal_because_no_manager_listens_to_it(
    tmp_path: Path, manager: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 990)
    with agent_at(tmp_path / "s") as agent:
        monkeypatch.setenv("MAIN_PID", str(agent.pid))
        assert reload_agent(tmp_path / "s") == f"SIGHUP to process {agent.pid}"
        assert agent.stdout is not None
        assert agent.stdout.readline() == "reloaded\n"
    assert not manager.exists()


def test_an_agent_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="the agent is gone") as caught:
        reload_agent(tmp_path / "s")
    assert caught.value.exit_code == ExitCode.UNAVAILABLE


def test_without_a_service_manager_nothing_is_known_of_a_unit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert unit_facts("MainPID") == {}
