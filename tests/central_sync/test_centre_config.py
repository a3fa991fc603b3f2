"""The centre's settings: where they come from, and every problem at once."""

from pathlib import Path

import pytest

from central_sync.config import (
    CentreSettings,
    ExitCode,
    Limits,
    OperatorError,
    Tls,
    is_loopback,
    load_settings,
)


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "centre.toml"
    file.write_text(text, encoding="utf-8")
    return file


def problems_of(tmp_path: Path, text: str) -> list[str]:
    file = written(tmp_path, text)
    with pytest.raises(OperatorError) as refused:
        load_settings(file, environ={}, overrides={})
    assert refused.value.exit_code is ExitCode.CONFIGURATION
    assert all(problem.startswith(f"{file}: ") for problem in refused.value.problems)
    return [problem.removeprefix(f"{file}: ") for problem in refused.value.problems]


def test_without_a_file_the_defaults_hold() -> None:
    assert load_settings(None, environ={}, overrides={}) == CentreSettings()


def test_a_whole_file_is_read_and_its_paths_are_relative_to_it(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        """
        state = "state"
        listen = "[::1]:9000"
        allow_simulated = true
        log_level = "debug"
        [tls]
        certificate = "tls/cert.pem"
        key = "/etc/key.pem"
        [limits]
        connections = 10
        body_timeout_s = 5
        """,
    )
    settings = load_settings(file, environ={}, overrides={})
    assert settings == CentreSettings(
        state=tmp_path / "state",
        listen="[::1]:9000",
        allow_simulated=True,
        log_level="debug",
        tls=Tls(certificate=tmp_path / "tls/cert.pem", key=Path("/etc/key.pem")),
        limits=Limits(connections=10, body_timeout_s=5),
    )
    assert (settings.host, settings.port) == ("::1", 9000)
    assert settings.database == tmp_path / "state" / "centre.db"


def test_a_flag_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, 'listen = "127.0.0.1:1"\nlog_level = "info"\nstate = "a"')
    environ = {
        "CENTRAL_SYNC_LISTEN": "127.0.0.1:2",
        "LOG_LEVEL": "ERROR",
        "CENTRAL_SYNC_STATE": "",
    }
    settings = load_settings(
        file, environ=environ, overrides={"listen": "127.0.0.1:3", "state": None}
    )
    assert (settings.port, settings.log_level, settings.state) == (3, "error", tmp_path / "a")


def test_every_problem_is_told_in_one_run(tmp_path: Path) -> None:
    problems = problems_of(
        tmp_path,
        """
        state = 5
        allow_simulated = 1
        lisen = "x"
        [tls]
        names = "c"
        [limits]
        connections = true
        bodytimeout_s = 3
        """,
    )
    assert sorted(problems) == [
        "allow_simulated: 1 must be true or false",
        "limits.connections: True must be a whole number",
        "limits: bodytimeout_s: unknown key. Did you mean 'body_timeout_s'?",
        "lisen: unknown key. Did you mean 'listen'?",
        "state: 5 must be a path",
        "tls.names: 'c' must be a list of texts",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('listen = "8080"', "listen: '8080' must be host:port, for instance 127.0.0.1:8080"),
        ('listen = "127.0.0.1:x"', "listen: '127.0.0.1:x' must be host:port"),
        ('listen = "127.0.0.1:65536"', "listen: '127.0.0.1:65536' must be host:port"),
        ('listen = ":80"', "listen: ':80' must be host:port"),
        ('log_level = "loud"', "log_level: 'loud' must be one of debug, info, warning, error"),
        ('listen = "0.0.0.0:80"', "tls: missing, and 0.0.0.0 can be reached from other machines"),
        ('listen = "example.org:80"', "tls: missing, and example.org can be reached"),
        ("[limits]\nconnections = 0", "limits: connections must be at least 1"),
        ("[limits]\nbody_timeout_s = nan", "limits: body_timeout_s must be above 0"),
        ("[limits]\nbytes_in_flight = 1", "limits: bytes_in_flight must be at least 67108864"),
        ("= 3", "is not TOML: "),
    ],
)
def test_what_cannot_be_is_told_with_its_remedy(tmp_path: Path, text: str, problem: str) -> None:
    (found,) = problems_of(tmp_path, text)
    assert found.startswith(problem)


def test_a_bad_variable_is_told_by_its_name(tmp_path: Path) -> None:
    file = written(tmp_path, "")
    with pytest.raises(OperatorError) as refused:
        load_settings(file, environ={"LOG_LEVEL": "Loud"}, overrides={})
    assert refused.value.problems == (
        "environment: LOG_LEVEL: 'loud' must be one of debug, info, warning, error",
    )


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="cannot be read: No such file"):
        load_settings(tmp_path / "none.toml", environ={}, overrides={})


@pytest.mark.parametrize(
    ("host", "is_local"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),  # noqa: S104 - the very thing that must not pass for loopback
        ("::", False),
        ("10.0.0.1", False),
        ("localhost.example.org", False),
    ],
)
def test_loopback_is_what_no_other_machine_reaches(host: str, *, is_local: bool) -> None:
    assert is_loopback(host) is is_local
