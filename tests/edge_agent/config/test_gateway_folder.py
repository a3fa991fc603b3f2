"""The folder of a gateway: which of its files make a plan, and who may read its key.

Loading a good one imports nothing that only mistakes need.
"""

import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from edge_agent.config.loading import load_plan
from edge_agent.config.plan import ConfigurationError
from edge_agent.wire.bundle import parse_bundle
from tests.edge_agent.config.analyzer import PROFILE

GOOD: Final = Path(__file__).parents[2] / "cases" / "config" / "_good"


def test_a_profile_of_the_site_stands_before_the_shipped_one(tmp_path: Path) -> None:
    shutil.copytree(GOOD, tmp_path, dirs_exist_ok=True)
    own = PROFILE.replace("example/analyzer", "emissionwatch/simulated-stack")
    own = own.replace("points.wide", "points.nox_ppm").replace("points.short", "points.o2_pct")
    (tmp_path / "profiles.d" / "emissionwatch").mkdir()
    file = tmp_path / "profiles.d" / "emissionwatch" / "simulated-stack.toml"
    file.write_text(own, encoding="utf-8")
    device = tmp_path / "devices.d" / "stack-1.toml"
    confirmed = 'word_order = "ABCD"\naddressing = "modicon"\n'
    device.write_text(confirmed + device.read_text(encoding="utf-8"), encoding="utf-8")

    plan = load_plan(tmp_path / "agent.toml", environ={}, overrides={})

    assert plan.devices[0].channels[0].parameter == "SO2"


def test_a_gateway_without_devices_has_a_plan(tmp_path: Path) -> None:
    shutil.copytree(GOOD, tmp_path, dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "devices.d")

    plan = load_plan(tmp_path / "agent.toml", environ={}, overrides={})

    assert plan.devices == ()
    assert parse_bundle(plan.bundle.content()).channels == ()


def test_files_that_an_editor_leaves_are_not_devices(tmp_path: Path) -> None:
    shutil.copytree(GOOD, tmp_path, dirs_exist_ok=True)
    for name in (".#stack-1.toml", "stack-1.toml~", "stack-1.toml.swp", "notes.txt"):
        (tmp_path / "devices.d" / name).write_text("not TOML", encoding="utf-8")

    plan = load_plan(tmp_path / "agent.toml", environ={}, overrides={})

    assert [device.name for device in plan.devices] == ["stack-1"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_signing_key_that_others_may_use_is_refused(mode: int, tmp_path: Path) -> None:
    shutil.copytree(GOOD, tmp_path, dirs_exist_ok=True)
    key = tmp_path / "gateway.key"
    key.touch(mode=0o600)
    load_plan(tmp_path / "agent.toml", environ={}, overrides={})
    key.chmod(mode)

    with pytest.raises(ConfigurationError, match="chmod 600"):
        load_plan(tmp_path / "agent.toml", environ={}, overrides={})
    assert stat.S_IMODE(key.stat().st_mode) == mode


def test_a_key_that_systemd_hands_over_may_show_as_readable_by_the_group(tmp_path: Path) -> None:
    shutil.copytree(GOOD, tmp_path, dirs_exist_ok=True)
    (tmp_path / "gateway.key").touch()
    (tmp_path / "gateway.key").chmod(0o440)
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}

    plan = load_plan(tmp_path / "agent.toml", environ=environ, overrides={})

    assert plan.settings.gateway.key_file.parent == tmp_path
    (tmp_path / "gateway.key").chmod(0o444)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        load_plan(tmp_path / "agent.toml", environ=environ, overrides={})


def test_other_secrets_are_held_to_the_same_as_the_signing_key(tmp_path: Path) -> None:
    shutil.copytree(GOOD, tmp_path, dirs_exist_ok=True)
    agent = tmp_path / "agent.toml"
    secret = tmp_path / "tls.pem"
    agent.write_text(
        agent.read_text().replace("[centre]\n", f'[centre]\ncertificate_file = "{secret}"\n')
    )
    # It may be absent: the agent gets one.
    load_plan(agent, environ={}, overrides={})
    secret.touch(mode=0o600)
    secret.chmod(0o440)
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    load_plan(agent, environ=environ, overrides={})
    with pytest.raises(ConfigurationError, match="others may use the certificate_file"):
        load_plan(agent, environ={}, overrides={})


def test_a_file_that_is_not_there_is_a_problem_of_the_operator(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"agent\.toml: cannot be read: No such file"):
        load_plan(tmp_path / "agent.toml", environ={}, overrides={})


def test_a_good_configuration_loads_neither_pydantic_nor_tree_sitter(tmp_path: Path) -> None:
    shutil.copytree(GOOD, tmp_path, dirs_exist_ok=True)
    program = (
        "import sys; from pathlib import Path; from edge_agent.config.loading import load_plan;"
        f"load_plan(Path({str(tmp_path / 'agent.toml')!r}), environ={{}}, overrides={{}});"
        "print(sorted({name.split('.')[0] for name in sys.modules}))"
    )

    done = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
        timeout=60,
    )

    assert "cattrs" in done.stdout
    for name in ("pydantic", "pydantic_core", "tree_sitter", "tree_sitter_toml", "asyncio"):
        assert f"'{name}'" not in done.stdout
