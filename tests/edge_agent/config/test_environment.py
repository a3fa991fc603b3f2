"""Variables and flags: a flag stands before the environment, the environment before the file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from edge_agent.config.environment import VARIABLES, megabytes, seconds
from edge_agent.config.loading import load_plan
from edge_agent.config.plan import ConfigurationError, Plan
from edge_agent.config.structure import MisfitError

AGENT: Final = """\
[gateway]
id = "6f0c1f6e-6ad6-4f3b-9b58-5b6b6f2f2a01"
facility = "from-file"
key_file = "gateway.key"
[buffer]
path = "buffer.db"
quota_mb = 100
[centre]
url = "http://localhost:8080"
receipt_key_file = "receipt.pem"
upload_interval_s = 30
[log]
level = "error"
"""


@pytest.fixture
def agent_toml(tmp_path: Path) -> Path:
    (tmp_path / "receipt.pem").touch()
    path = tmp_path / "agent.toml"
    path.write_text(AGENT, encoding="utf-8")
    return path


def plan(path: Path, environ: Mapping[str, str], **overrides: str | int) -> Plan:
    """Return the plan with overrides, written with __ for the dot."""
    flags = {name.replace("__", "."): value for name, value in overrides.items()}
    return load_plan(path, environ=environ, overrides=flags)


def test_the_environment_stands_before_the_file(agent_toml: Path) -> None:
    settings = plan(
        agent_toml,
        {
            "LOG_LEVEL": "DEBUG",
            "LOCAL_BUFFER_SIZE": "2GB",
            "UPLOAD_INTERVAL": "15m",
            "OFFLINE_MODE_DURATION": "48h",
            "USE_CEMS_SIMULATOR": "true",
            "FACILITY_IDS": "from-file, second",
        },
    ).settings

    assert settings.log.level == "debug"
    assert settings.buffer.quota_mb == 2000
    assert settings.buffer.offline_duration_s == 172_800
    assert settings.centre.upload_interval_s == 900
    assert settings.gateway.simulated
    assert settings.gateway.facilities == ("from-file", "second")
    assert settings.gateway.facility == "from-file"


def test_a_flag_stands_before_the_environment(agent_toml: Path) -> None:
    settings = plan(
        agent_toml,
        {"LOG_LEVEL": "debug", "LOCAL_BUFFER_SIZE": "2GB"},
        log__level="warning",
        health__port=8081,
    ).settings

    assert settings.log.level == "warning"
    assert settings.health.port == 8081
    assert settings.buffer.quota_mb == 2000


def test_an_empty_variable_is_none(agent_toml: Path) -> None:
    settings = plan(agent_toml, {variable.name: "" for variable in VARIABLES}).settings

    assert settings == plan(agent_toml, {}).settings
    assert settings.log.level == "error"


def test_the_first_facility_of_the_environment_is_the_gateways_where_the_file_names_none(
    agent_toml: Path,
) -> None:
    agent_toml.write_text(AGENT.replace('facility = "from-file"\n', ""), encoding="utf-8")

    settings = plan(agent_toml, {"FACILITY_IDS": "facility-001,facility-002"}).settings

    assert settings.gateway.facility == "facility-001"


def test_a_wrong_flag_is_told_as_a_flag(agent_toml: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        plan(agent_toml, {}, log__level="loud")

    (problem,) = caught.value.found
    assert (problem.file, problem.line, problem.path) == ("command line", None, "log.level")


def test_an_override_of_no_section_is_an_unknown_key(agent_toml: Path) -> None:
    with pytest.raises(ConfigurationError, match="unknown key"):
        plan(agent_toml, {}, nonsense=1)


def test_an_override_cannot_mend_a_section_that_is_no_table(agent_toml: Path) -> None:
    agent_toml.write_text(
        'log = "debug"\n' + AGENT.replace('[log]\nlevel = "error"\n', ""), encoding="utf-8"
    )

    with pytest.raises(ConfigurationError, match=r"agent\.toml:1: log: expected a table"):
        plan(agent_toml, {"LOG_LEVEL": "info"})


def test_relative_paths_start_from_the_folder_of_the_file(agent_toml: Path) -> None:
    settings = plan(agent_toml, {}).settings

    assert settings.buffer.path == agent_toml.parent / "buffer.db"
    assert settings.gateway.key_file == agent_toml.parent / "gateway.key"
    assert settings.centre.receipt_key_file == agent_toml.parent / "receipt.pem"
    assert settings.centre.ca_file is None


@pytest.mark.parametrize(
    ("text", "size_mb"), [("1GB", 1000), ("1 GiB", 1073), ("512mb", 512), ("1TB", 1_000_000)]
)
def test_a_size_has_a_unit(text: str, size_mb: int) -> None:
    assert megabytes(text) == size_mb


@pytest.mark.parametrize(
    ("text", "duration_s"),
    [("60s", 60), ("60", 60), ("15m", 900), ("24h", 86_400), ("2d", 172_800)],
)
def test_a_duration_may_have_one(text: str, duration_s: int) -> None:
    assert seconds(text) == duration_s


@pytest.mark.parametrize("text", ["", "-1GB", "1.5GB", "1", "GB", "1XB", f"{10**15}GB", "\u0661GB"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(MisfitError):
        megabytes(text)
