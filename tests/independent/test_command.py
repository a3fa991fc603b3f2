"""The command: what a person runs, in a process of its own, and what its exit code says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from checker import main
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from forge import private_key
from world import World, leave_a_poll_out

if TYPE_CHECKING:
    from collections.abc import Callable

CHECKER = Path(__file__).parent / "checker.py"


def test_it_runs_by_its_path_from_anywhere_without_the_repository(tmp_path: Path) -> None:
    command = World.healthy(tmp_path).write()
    done = subprocess.run(
        [sys.executable, str(CHECKER), *command],
        capture_output=True,
        check=False,
        cwd=tmp_path,
        env={},
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["polls_found"] == 6


def test_a_fault_gives_exit_code_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world = World.healthy(tmp_path)
    del world.centre[1]
    assert main(world.write()) == 1
    assert json.loads(capsys.readouterr().out)["lost_committed"] == 2


def test_a_poll_missing_without_a_word_gives_exit_code_1(tmp_path: Path) -> None:
    world = World.healthy(tmp_path)
    leave_a_poll_out(world)
    assert main(world.write()) == 1


def raw_key(folder: Path) -> None:
    (folder / "gateway.pem").write_bytes(private_key(1).public_key().public_bytes_raw())


def hex_key(folder: Path) -> None:
    (folder / "gateway.pem").write_text(private_key(1).public_key().public_bytes_raw().hex())


@pytest.mark.parametrize("form", [raw_key, hex_key])
def test_a_key_may_be_its_bytes_or_hex(tmp_path: Path, form: Callable[[Path], None]) -> None:
    command = World.healthy(tmp_path).write()
    form(tmp_path)
    assert main(command) == 0


def no_centre(folder: Path) -> None:
    (folder / "centre.db").unlink()


def no_table(folder: Path) -> None:
    (folder / "centre.db").write_bytes(b"")


def no_database(folder: Path) -> None:
    (folder / "buffer.db").write_text("x" * 4096)


def no_key(folder: Path) -> None:
    (folder / "gateway.pem").write_text("x")


def other_key(folder: Path) -> None:
    pem = X25519PrivateKey.generate().public_key()
    content = pem.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / "gateway.pem").write_bytes(content)


def no_map(folder: Path) -> None:
    (folder / "map.json").write_text('{"devices": [{"device": "stack-1"}]}')


def unknown_map_key(folder: Path) -> None:
    text = (folder / "map.json").read_text()
    (folder / "map.json").write_text(text.replace("words", "wrds"))


def double_channel(folder: Path) -> None:
    described = json.loads((folder / "map.json").read_text())
    described["devices"].append(described["devices"][0] | {"device": "stack-2"})
    (folder / "map.json").write_text(json.dumps(described))


def torn_record(folder: Path) -> None:
    (folder / "served.jsonl").write_text('{"device": \n{}\n')


def served_differently(folder: Path) -> None:
    text = (folder / "served.jsonl").read_text()
    (folder / "served.jsonl").write_text(text + text.replace("[16320,", "[16321,"))


def torn_journal(folder: Path) -> None:
    (folder / "committed.jsonl").write_text("{}\n")


def no_window(folder: Path) -> None:
    (folder / "kills.jsonl").write_text('{"from_ns": 1}\n')


UNREADABLE = [
    (no_centre, "no such file"),
    (no_table, "no such table"),
    (no_database, "not a database"),
    (no_key, "not a public key"),
    (other_key, "not an Ed25519 key"),
    (no_map, "not a channel map"),
    (unknown_map_key, "not a channel map"),
    (double_channel, "of two devices"),
    (torn_record, "served.jsonl:1: not an answer"),
    (served_differently, "served twice, differently"),
    (torn_journal, "not a journal"),
    (no_window, "not a list of kills"),
]


@pytest.mark.parametrize(("spoil", "words"), UNREADABLE, ids=lambda v: getattr(v, "__name__", ""))
def test_evidence_that_cannot_be_read_gives_exit_code_2(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    spoil: Callable[[Path], None],
    words: str,
) -> None:
    command = World.healthy(tmp_path).write()
    spoil(tmp_path)
    assert main(command) == 2
    assert words in capsys.readouterr().err


def test_a_torn_last_line_was_not_served_yet(tmp_path: Path) -> None:
    command = World.healthy(tmp_path).write()
    with (tmp_path / "served.jsonl").open("a") as record:
        record.write('{"device": "stack-1", "po')
    assert main(command) == 0


@pytest.mark.parametrize("left_out", ["--key", "--map", "--served"])
def test_options_that_need_each_other_are_demanded(tmp_path: Path, left_out: str) -> None:
    command = World.healthy(tmp_path).write()
    at = command.index(left_out)
    with pytest.raises(SystemExit) as stopped:
        main(command[:at] + command[at + 2 :])
    assert stopped.value.code == 2
