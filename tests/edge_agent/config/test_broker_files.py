"""The files that a device's [broker] names: there, readable, and a password for its owner alone."""

import shutil
from pathlib import Path

import pytest

from edge_agent.config.loading import load_plan
from edge_agent.config.plan import ConfigurationError, Plan
from edge_agent.config.protocols.mqtt import MqttPlace, MqttSpeech

GOOD = Path(__file__).parents[2] / "cases" / "config" / "_good"
DEVICE = """name = "stack-1"
profile = "emissionwatch/simulated-mqtt"
endpoint = "mqtts://10.0.5.20"
mqtt.root = "plant/stack-1"

[broker]
client_id = "gateway"
user = "gateway"
password_file = "secret/password"
ca_file = "ca.pem"

[[channels]]
number = 1
point = "nox_ppm"
name = "stack 1 NOx"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the configuration of a gateway with one device behind a broker."""
    shutil.copytree(GOOD, tmp_path, dirs_exist_ok=True)
    (tmp_path / "devices.d" / "stack-1.toml").write_text(DEVICE)
    (tmp_path / "ca.pem").touch()
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "password").touch(mode=0o600)
    return tmp_path


def plan_of(folder: Path) -> Plan:
    return load_plan(folder / "agent.toml", environ={}, overrides={})


def test_relative_paths_start_from_the_folder_of_the_gateway(folder: Path) -> None:
    (device,) = plan_of(folder).devices
    assert isinstance(device.speech, MqttSpeech)
    login = device.speech.login
    assert login.ca_file == folder / "ca.pem"
    assert login.password_file == folder / "secret" / "password"
    assert device.points[0].place == MqttPlace(topic="plant/stack-1/gas", path="/nox")
    assert str(device.endpoint) == "mqtts://10.0.5.20:8883"


def test_a_password_that_others_may_read_is_refused(folder: Path) -> None:
    (folder / "secret" / "password").chmod(0o640)
    with pytest.raises(
        ConfigurationError, match=r"password_file: others may use the password_file"
    ):
        plan_of(folder)


@pytest.mark.parametrize("name", ["ca.pem", "secret/password"])
def test_a_file_that_is_not_there_is_told(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ConfigurationError, match=rf"there is no file .*{name}"):
        plan_of(folder)
