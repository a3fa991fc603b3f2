"""`doctor` looks at everything in one run, and every red line says what mends it."""

import json
from pathlib import Path

import pytest

from edge_agent.cli import doctor, init
from edge_agent.errors import ExitCode

SUBJECTS = {
    *("clock", "timezone", "service", "configuration", "disk", "space", "serial", "keys"),
    *("agent", "dns", "uplink", "proxy"),
}


@pytest.fixture
def config(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """Return the agent.toml of a gateway that was made by `init`."""
    path = tmp_path / "agent.toml"
    where = ["--config", str(path), "--state", str(tmp_path), "--socket", str(tmp_path / "s")]
    init.main(["--facility", "PLANT", "--centre", "http://127.0.0.1:1", *where])
    (tmp_path / "centre-receipt.pem").write_bytes((tmp_path / "gateway.pub").read_bytes())
    capsys.readouterr()
    return path


def found(config: Path, capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    """Return what is found; the exit code follows from it."""
    code = doctor.main(["--config", str(config), "--json"])
    told = json.loads(capsys.readouterr().out)
    shown: list[dict[str, str]] = told["found"]
    is_bad = any(one["level"] == "bad" for one in shown)
    assert code == (ExitCode.FAILURE if is_bad else ExitCode.OK)
    assert told["good"] is not is_bad
    return shown


def test_everything_is_looked_at(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert {one["subject"] for one in found(config, capsys)} >= SUBJECTS


def test_every_bad_line_names_what_mends_it(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (config.parent / "gateway.key").chmod(0o644)
    (config.parent / "centre-receipt.pem").write_text("no key")
    bad = [one for one in found(config, capsys) if one["level"] == "bad"]
    assert {"keys", "configuration", "uplink"} <= {one["subject"] for one in bad}
    assert all(one["fix"] for one in bad)


def test_a_configuration_that_cannot_be_read_is_told_and_the_rest_is_looked_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    subjects = [one["subject"] for one in found(tmp_path / "agent.toml", capsys)]
    assert {"clock", "timezone", "service"} <= set(subjects)
    assert subjects.count("configuration") == 2


def test_lines_for_people_have_no_colour_where_no_terminal_is(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    doctor.main(["--config", str(config)])
    told = capsys.readouterr().out
    assert "\033" not in told
    assert "BAD  uplink" in told
    assert "fix: look at cable" in told
