"""What `apply` says before anything is applied, and where it cannot be."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge_agent.cli import apply, init
from edge_agent.config.editions import plan_at_reload
from edge_agent.config.kept import Kept, Record
from edge_agent.config.library import device_file
from edge_agent.errors import ExitCode, OperatorError
from edge_agent.simulator.service import PROFILE

LIMIT_S = 30


@pytest.fixture
def config(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """Return the agent.toml of a gateway with two devices, which ran last as it is."""
    path = tmp_path / "agent.toml"
    where = ["--config", str(path), "--state", str(tmp_path), "--socket", str(tmp_path / "s")]
    centre = ["--centre", "http://127.0.0.1:9", "--simulated"]
    init.main(["--facility", "PLANT", *centre, *where])
    (tmp_path / "centre-receipt.pem").write_bytes((tmp_path / "gateway.pub").read_bytes())
    for number in (1, 2):
        text = device_file(
            PROFILE,
            name=f"stack-{number}",
            endpoint=f"tcp://127.0.0.1:{number}",
            first_channel=100 * number,
        )
        (tmp_path / "devices.d" / f"stack-{number}.toml").write_text(text)
    plan = plan_at_reload(path, environ={}, overrides={})
    Kept.of(plan.settings).write(Record(accepted=plan.edition))
    capsys.readouterr()
    return path


def applied(config: Path, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """Run the command; return its exit code and what it printed."""
    code = apply.main(["--config", str(config), *words])
    return code, capsys.readouterr().out


def edit(config: Path, number: int, old: str, new: str) -> None:
    path = config.parent / "devices.d" / f"stack-{number}.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_without_an_agent_the_files_are_compared_with_what_ran_last(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(config, 1, "127.0.0.1:1", "127.0.0.1:7")
    code, told = applied(config, capsys, "--dry-run")
    assert code == ExitCode.OK
    assert "the agent is not running; compared with what ran last" in told
    assert "~ stack-1: changed, connects anew\n" in told
    assert "    endpoint: tcp://127.0.0.1:1 -> tcp://127.0.0.1:7\n" in told
    assert "0 added, 1 changed, 1 unchanged, 0 removed\nnothing was applied\n" in told
    assert "stack-2" not in told


def test_without_an_agent_nothing_can_be_applied(config: Path) -> None:
    with pytest.raises(OperatorError, match="it reads the files when it starts") as caught:
        apply.main(["--config", str(config)])
    assert caught.value.exit_code == ExitCode.UNAVAILABLE


def test_a_mistake_is_told_with_its_file_and_nothing_is_applied(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(config, 1, "profile =", "profle =")
    code, told = applied(config, capsys)
    assert code == ExitCode.CONFIGURATION
    assert f"! {config.parent / 'devices.d' / 'stack-1.toml'}: refused\n" in told
    assert "Did you mean 'profile'?" in told
    assert told.endswith("nothing was applied\n")
    code, told = applied(config, capsys, "--json")
    (file,) = json.loads(told)["files"]
    assert (code, file["kind"]) == (ExitCode.CONFIGURATION, "refused")


def test_a_device_that_is_new_or_gone_is_told_with_its_address(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = config.parent / "devices.d"
    (folder / "stack-2.toml").unlink()
    text = device_file(PROFILE, name="new", endpoint="tcp://127.0.0.1:3", first_channel=300)
    (folder / "new.toml").write_text(text)
    _, told = applied(config, capsys, "--dry-run", "--json")
    kinds = {one["name"]: (one["kind"], one["details"]) for one in json.loads(told)["devices"]}
    assert kinds["new"] == ("added", ["modbus tcp://127.0.0.1:3, 10 channels"])
    assert kinds["stack-2"] == ("removed", ["modbus tcp://127.0.0.1:2, 10 channels"])
    assert kinds["stack-1"] == ("unchanged", [])


def test_files_that_are_not_kept_any_more_make_every_device_new(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(config, 1, "127.0.0.1:1", "127.0.0.1:7")
    for archive in (config.parent / "configurations").glob("*.tar"):
        archive.unlink()
    _, told = applied(config, capsys, "--dry-run")
    assert "2 added, 0 changed, 0 unchanged, 0 removed" in told


@contextmanager
def agent_that_answers(path: Path, answer: object) -> Iterator[None]:
    """Answer one question at a socket."""
    body = json.dumps(answer).encode()

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(4096)
            head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\n\r\n".encode()
            connection.sendall(head + body)

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        thread = threading.Thread(target=serve)
        thread.start()
        yield
        thread.join(LIMIT_S)


def test_an_agent_of_an_earlier_version_is_to_be_restarted(config: Path) -> None:
    with (
        agent_that_answers(config.parent / "s", {"alarms": []}),
        pytest.raises(OperatorError, match="another version") as caught,
    ):
        apply.main(["--config", str(config)])
    assert caught.value.exit_code == ExitCode.UNAVAILABLE
