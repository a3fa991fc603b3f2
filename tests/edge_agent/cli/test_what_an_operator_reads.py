"""What a person reads who gave a command something wrong: one sentence, never a trace."""

import json
import socket
import subprocess
import sys
import threading
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from edge_agent.buffer.opening import sole_owner
from edge_agent.cli import buffer, demo, init, simulate, status
from edge_agent.errors import ExitCode, OperatorError, leaves

CENTRE = "http://127.0.0.1:9"
LIMIT_S = 60


def edge_agent(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command as a person would."""
    return subprocess.run(
        [sys.executable, "-m", "edge_agent", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


@pytest.fixture
def config(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """Return the agent.toml of a gateway that was made by `init`, and may talk to its centre."""
    path = tmp_path / "agent.toml"
    where = ["--config", str(path), "--state", str(tmp_path), "--socket", str(tmp_path / "s")]
    assert init.main(["--facility", "PLANT", "--centre", CENTRE, *where]) == ExitCode.OK
    (tmp_path / "centre-receipt.pem").write_bytes((tmp_path / "gateway.pub").read_bytes())
    capsys.readouterr()
    return path


def test_a_command_is_missing() -> None:
    done = edge_agent()
    assert done.returncode == ExitCode.USAGE
    assert done.stderr.endswith("the following arguments are required: COMMAND\n")


def test_a_buffer_that_another_agent_has_stops_the_start_with_a_sentence(config: Path) -> None:
    with sole_owner(config.parent / "buffer.db"):
        done = edge_agent("run", "--config", config)
    assert done.returncode == ExitCode.UNAVAILABLE
    (told,) = done.stderr.splitlines()
    assert told.startswith(f"edge-agent run: {config.parent / 'buffer.db'}: another agent")


def test_a_record_that_cannot_be_written_stops_the_simulator_with_a_sentence() -> None:
    done = edge_agent("simulate", "--port", "0", "--log", "/nowhere/record")
    assert done.returncode == ExitCode.FAILURE
    assert done.stderr == (
        "edge-agent simulate: /nowhere/record: No such file or directory. "
        "Name a file that can be written\n"
    )


def test_a_rate_that_is_no_number_is_told_with_an_example() -> None:
    done = edge_agent("simulate", "--fault", "late=often")
    assert done.returncode == ExitCode.USAGE
    assert "'late=often': write late=0.01" in done.stderr


@pytest.mark.parametrize("command", [simulate.main, demo.main])
def test_a_scenario_that_there_is_not_is_told_with_those_there_are(
    command: Callable[[Sequence[str]], int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("CEMS_SIMULATOR_SCENARIO", "storm")
    with pytest.raises(SystemExit) as caught:
        command([])
    assert caught.value.code == ExitCode.USAGE
    assert "'storm' is no scenario; there are normal, " in capsys.readouterr().err


def test_without_an_agent_status_says_so_before_anything_else(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(OperatorError, match="there is no buffer yet"):
        status.main(["--config", str(config)])
    assert capsys.readouterr().out.startswith("the agent is not running")
    with pytest.raises(OperatorError, match="there is no buffer yet"):
        status.main(["--config", str(config), "--json"])
    assert json.loads(capsys.readouterr().out) == {
        "running": False,
        "buffer": None,
        "problems": [],
    }


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="hangs up"),
        pytest.param(b"nonsense", id="not http"),
        pytest.param(b"HTTP/1.1 500 x\r\ncontent-length: 2\r\n\r\nno", id="its page failed"),
    ],
)
def test_an_agent_that_gives_no_status_is_not_said_to_be_stopped(
    config: Path, answer: bytes
) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(config.parent / "s"))
        listener.listen()
        caller = threading.Thread(target=_answer_once, args=(listener, answer))
        caller.start()
        with pytest.raises(OperatorError, match="no status from there") as caught:
            status.main(["--config", str(config)])
        caller.join(LIMIT_S)
    assert caught.value.exit_code == ExitCode.UNAVAILABLE


def _answer_once(listener: socket.socket, answer: bytes) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(4096)
        connection.sendall(answer)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    config = tmp_path / "file" / "agent.toml"
    where = ["--config", str(config), "--state", str(tmp_path)]
    with pytest.raises(OperatorError, match=f"{tmp_path / 'file'}: ") as caught:
        init.main(["--facility", "PLANT", "--centre", CENTRE, *where])
    assert caught.value.exit_code == ExitCode.CONFIGURATION


@pytest.mark.parametrize("centre", ["centre.example", "http://centre.example", "ftp://127.0.0.1"])
def test_an_address_that_check_would_refuse_is_refused_before_a_key_is_made(
    centre: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--config", str(tmp_path / "agent.toml"), "--state", str(tmp_path)]
    with pytest.raises(SystemExit):
        init.main(["--facility", "PLANT", "--centre", centre, *where])
    assert "argument --centre" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_words_with_quotes_are_written_as_they_were_given(tmp_path: Path) -> None:
    state = tmp_path / 'a "state" \\ of mind'
    where = ["--config", str(tmp_path / "agent.toml"), "--state", str(state)]
    init.main(["--facility", 'Süd "2"', "--centre", CENTRE, *where])
    written = tomllib.loads((tmp_path / "agent.toml").read_text(encoding="utf-8"))
    assert written["gateway"]["facility"] == 'Süd "2"'
    assert written["buffer"]["path"] == str(state / "buffer.db")


def test_a_gateway_is_not_made_twice(config: Path) -> None:
    where = ["--config", str(config), "--state", str(config.parent)]
    with pytest.raises(OperatorError) as caught:
        init.main(["--facility", "PLANT", "--centre", CENTRE, *where])
    assert len(caught.value.problems) == 2


def test_a_buffer_that_is_not_there_is_told_with_what_makes_it(config: Path) -> None:
    with pytest.raises(OperatorError, match="the agent makes it") as caught:
        buffer.main(["info", "--config", str(config)])
    assert caught.value.exit_code == ExitCode.UNAVAILABLE


def test_a_group_of_errors_is_told_one_by_one() -> None:
    first, second = ValueError("a"), ValueError("b")
    group = ExceptionGroup("", [first, ExceptionGroup("", [second])])
    assert list(leaves(group)) == [first, second]
    assert list(leaves(first)) == [first]
