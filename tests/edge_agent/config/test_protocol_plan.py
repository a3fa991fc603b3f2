"""Profiles with blocks, words of several places, facts and identity, as the agent runs them."""

import json
import shutil
from collections.abc import Callable
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Final, TypeAlias

import pytest

from edge_agent.config.device import Calibration, Device, Endpoint, IdentityCheck, Table
from edge_agent.config.device_parts import NotAvailable
from edge_agent.config.endpoint import Parity, SerialLine
from edge_agent.config.loading import load_plan
from edge_agent.config.plan import Plan
from edge_agent.config.profile import Profile
from edge_agent.config.protocols.modbus import Register, StatusPart, StatusWord, Text
from edge_agent.config.protocols.registry import PROFILE_KINDS, profile_kind
from edge_agent.drivers import PROTOCOLS, TRIALS, trial_decoder
from edge_agent.wire.bundle import parse_bundle, profile_hashes
from tests.edge_agent.config.whole import DEVICE

GOOD: Final = Path(__file__).parents[2] / "cases" / "config" / "_good"
HOLDING, INPUT, DISCRETE = Table.HOLDING, Table.INPUT, Table.DISCRETE

MakePlan: TypeAlias = Callable[..., Plan]


@pytest.fixture
def make_plan(tmp_path: Path) -> MakePlan:
    """Return a maker of plans of a gateway with one device of `example/whole`."""
    shutil.copytree(GOOD, tmp_path, dirs_exist_ok=True)
    (tmp_path / "devices.d" / "stack-1.toml").unlink()
    profile = tmp_path / "profiles.d" / "example" / "whole.toml"

    def make(device: str = DEVICE, **replaced: str) -> Plan:
        (tmp_path / "devices.d" / "analyzer.toml").write_text(device, encoding="utf-8")
        text = (GOOD / "profiles.d" / "example" / "whole.toml").read_text(encoding="utf-8")
        text += replaced.get("more", "")
        profile.write_text(text, encoding="utf-8")
        return load_plan(tmp_path / "agent.toml", environ={}, overrides={})

    return make


@pytest.fixture
def device(make_plan: MakePlan) -> Device:
    """Return the device."""
    (only,) = make_plan().devices
    return only


def test_every_protocol_has_a_kind_of_profile_a_driver_and_a_trial() -> None:
    assert PROFILE_KINDS.keys() == TRIALS.keys()
    assert PROFILE_KINDS.keys() <= PROTOCOLS.keys()
    for protocol in PROFILE_KINDS:
        assert issubclass(profile_kind(protocol), Profile)
        assert callable(trial_decoder(protocol))


def test_a_serial_endpoint_has_its_port_and_its_line(device: Device) -> None:
    assert device.endpoint == Endpoint(
        scheme="serial", path="/dev/ttyS0", line=SerialLine(baud=9600, parity=Parity.EVEN)
    )
    assert str(device.endpoint) == "serial:///dev/ttyS0"


def test_rtu_over_tcp_is_an_endpoint_of_its_own(make_plan: MakePlan) -> None:
    line = 'endpoint = "serial:///dev/ttyS0"\nserial = { baud = 9600, parity = "even" }'
    (device,) = make_plan(DEVICE.replace(line, 'endpoint = "rtu+tcp://10.0.0.9:4001"')).devices

    assert device.endpoint == Endpoint(scheme="rtu+tcp", host="10.0.0.9", port=4001)


def test_a_component_is_as_many_strides_from_the_first_as_its_number_says(device: Device) -> None:
    point, row = device.points[2], device.channels[2]

    assert point.place == Register(table=HOLDING, address=100 + 3 * 12)
    assert point.status == StatusWord(
        parts=tuple(
            StatusPart(
                register=Register(table=HOLDING, address=104 + 3 * 12 + index),
                first_bit=0,
                width=16,
                at_bit=at_bit,
            )
            for index, at_bit in ((0, 16), (1, 0))
        )
    )
    assert row.status_source == "holding:140.0+16@16 holding:141.0+16@0"


def test_what_the_profile_leaves_to_the_site_is_what_the_channel_says(device: Device) -> None:
    row = device.channels[2]

    assert (row.parameter, row.unit_of_measure, row.resolution) == ("NOx", "mg/m3", "0.25")


def test_a_word_of_several_places_is_told_in_the_channel_table(device: Device) -> None:
    assert device.channels[0].status_source == (
        "discrete:0@0 discrete:1@1 discrete:2@2 discrete:3@3 input:9.8+8@16"
    )


def test_a_device_says_who_it_is_and_what_it_measures_before_it_is_read(device: Device) -> None:
    assert device.identity == (
        IdentityCheck(
            place=Text(register=Register(table=HOLDING, address=200), count=4),
            raw_type="text",
            accepted=("WHOLE-1",),
            meaning="identity.model",
        ),
        IdentityCheck(
            place=Register(table=HOLDING, address=103 + 3 * 12),
            raw_type="uint16",
            word_order="ABCD",
            accepted=(1566,),
            meaning="channel 3: unit_of_measure mg/m3",
        ),
    )


def test_sentinels_and_calibration_facts_are_known_by_their_channels(device: Device) -> None:
    assert device.not_available == (
        NotAvailable(values=(Decimal(0),), below=Decimal(-32000)),
        None,
        None,
    )
    assert device.calibrations == (
        Calibration(
            index=0, span=Decimal(500), span_reference=Decimal("450.5"), zero_reading_index=1
        ),
    )


def test_a_fact_that_is_no_channel_is_no_fact(make_plan: MakePlan) -> None:
    without = DEVICE.replace(
        '[[channels]]\nnumber = 2\npoint = "so2_zero"\nname = "SO2 zero"\n\n', ""
    )
    (device,) = make_plan(without).devices

    assert device.calibrations[0].zero_reading_index is None


def test_the_bundle_names_profile_and_family_and_who_confirmed_what(make_plan: MakePlan) -> None:
    plan = make_plan()
    folder = GOOD / "profiles.d" / "example"
    content = b"".join(plan.bundle.pieces())
    bundle = parse_bundle(content)

    assert dict(bundle.profiles) == {
        "example__whole": sha256((folder / "whole.toml").read_bytes()).hexdigest(),
        "example___line": sha256((folder / "_line.toml").read_bytes()).hexdigest(),
    }
    assert {one.digest for one in plan.profiles} == set(profile_hashes([content]))
    (settings,) = json.loads(content)["agent"]["devices"]
    assert settings["confirmations"] == [
        {
            "what": "unit_of_measure",
            "channels": [],
            "who": "a technician",
            "at": "2026-11-20T10:12:00Z",
            "how": "the front panel shows ppm",
        }
    ]
