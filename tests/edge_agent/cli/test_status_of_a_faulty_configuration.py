"""`status` says what it can, whatever is wrong with the files of the configuration."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge_agent.cli import init, status
from edge_agent.errors import ExitCode, OperatorError

LIMIT_S = 30
ANSWER = json.dumps({"at_ns": 1, "alarms": []}).encode()


@pytest.fixture
def config(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """Return the agent.toml of a gateway that was made by `init`."""
    path = tmp_path / "agent.toml"
    where = ["--config", str(path), "--state", str(tmp_path), "--socket", str(tmp_path / "s")]
    centre = "http://127.0.0.1:9"
    assert init.main(["--facility", "PLANT", "--centre", centre, *where]) == ExitCode.OK
    (tmp_path / "centre-receipt.pem").write_bytes((tmp_path / "gateway.pub").read_bytes())
    capsys.readouterr()
    return path


@contextmanager
def agent_at(path: Path) -> Iterator[None]:
    """Answer one question at a socket, as an agent would."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        thread = threading.Thread(target=_answer_once, args=(listener,))
        thread.start()
        yield
        thread.join(LIMIT_S)


def _answer_once(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(4096)
        head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(ANSWER)}\r\n\r\n".encode()
        connection.sendall(head + ANSWER)


MISTAKES = [
    pytest.param("facility = 7", "gateway.facility", id="a value of the wrong type"),
    pytest.param("facilty = 7", "gateway.facilty", id="a required key misspelt"),
]


@pytest.mark.parametrize(("line", "key"), MISTAKES)
def test_a_running_agent_is_asked_and_the_mistake_is_told(
    config: Path, line: str, key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = config.read_text()
    config.write_text(text.replace('facility = "PLANT"', line))
    with agent_at(config.parent / "s"):
        code = status.main(["--config", str(config), "--json"])
    told = capsys.readouterr()
    assert code == ExitCode.FAILURE
    shown = json.loads(told.out)
    assert shown["running"] is True
    assert any(key in problem for problem in shown["problems"])
    assert key in told.err


def test_a_faulty_device_file_is_no_reason_to_ask_nobody(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (config.parent / "devices.d" / "a.toml").write_text("name = \n")
    with agent_at(config.parent / "s"):
        status.main(["--config", str(config)])
    told = capsys.readouterr()
    assert "at: 1970-01-01 00:00:00Z" in told.out
    assert "devices.d/a.toml:1: not TOML" in told.err


def test_without_an_agent_the_buffer_is_looked_for_where_the_file_says(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text(config.read_text().replace("facility", "facilty"))
    with pytest.raises(OperatorError, match=f"{config.parent / 'buffer.db'}: there is no buffer"):
        status.main(["--config", str(config)])
    assert capsys.readouterr().out.startswith("the agent is not running")


def test_a_file_that_is_no_toml_leaves_the_usual_places(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text("]")
    with pytest.raises(OperatorError, match=r"/var/lib/edge-agent/buffer\.db"):
        status.main(["--config", str(config)])
    assert "not TOML" in capsys.readouterr().err
