"""The centre's settings: where they come from, and every problem at once."""

import re
from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import cast, get_args, get_type_hints

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
from central_sync.programs.plan import (
    Assignment,
    Facility,
    MonitoringSystem,
    Operating,
    Plan,
    Unit,
)

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "configuration.md").read_text(encoding="utf-8")
CALCULATIONS = (DOCS / "calculations.md").read_text(encoding="utf-8")


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


def leaves(kind: type, path: str = "") -> Iterator[tuple[str, object]]:
    """Yield every key of a kind of settings, with its default."""
    hints = get_type_hints(kind)
    for one in fields(kind):
        inner = next(filter(is_dataclass, (hints[one.name], *get_args(hints[one.name]))), None)
        if inner is not None:
            yield from leaves(cast("type", inner), f"{path}{one.name}.")
            continue
        default = one.default if one.default_factory is MISSING else one.default_factory()
        yield f"{path}{one.name}", default


def as_the_page_writes(default: object) -> str:
    match default:
        case None:
            return "none"
        case bool():
            return f"`{str(default).lower()}`"
        case tuple():
            return f"`{list(default)}`"
        case _:
            return f"`{default}`"


def test_the_page_has_a_row_for_every_key_with_its_default() -> None:
    keys = dict(leaves(CentreSettings))
    assert len(keys) > 10
    for key, default in keys.items():
        assert f"| `{key}` | {as_the_page_writes(default)} |" in PAGE


def test_the_page_has_no_row_for_a_key_that_is_not_there() -> None:
    _, _, section = PAGE.partition("\n## 9. centre.toml\n")
    written = {line.split("`")[1] for line in section.splitlines() if line.startswith("| `")}
    assert written == {key for key, _ in leaves(CentreSettings)}


def test_every_key_of_the_plan_is_in_its_sample() -> None:
    _, _, rest = CALCULATIONS.partition("\n## 8. The plan\n")
    sample = rest.partition("```toml\n")[2].partition("```")[0]
    for kind in (Plan, Facility, Unit, MonitoringSystem, Operating, Assignment):
        for one in fields(kind):
            name = "from" if one.name == "from_ns" else one.name
            assert re.search(rf"\b{name}\b", sample), f"{kind.__name__}.{name}"
