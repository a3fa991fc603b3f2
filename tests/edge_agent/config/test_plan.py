"""From good files to a plan: devices as on the wire, and the bundle that says so to the centre."""

import json
import shutil
from collections.abc import Callable
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Final, TypeAlias

import pytest

from edge_agent.config.device import Endpoint, Point, Table
from edge_agent.config.device_parts import Limits
from edge_agent.config.loading import load_plan
from edge_agent.config.plan import ConfigurationError, Plan
from edge_agent.config.protocols.modbus import Register, speech_of
from edge_agent.wire.bundle import parse_bundle
from edge_agent.wire.vocabulary import Phase, QualityClass, Reason
from tests.edge_agent.config.analyzer import DEVICE, PROFILE

GOOD: Final = Path(__file__).parents[2] / "cases" / "config" / "_good"

MakePlan: TypeAlias = Callable[..., Plan]


@pytest.fixture
def make_plan(tmp_path: Path) -> MakePlan:
    """Return a maker of plans of a gateway with one device of an analyzer of its own."""
    shutil.copytree(GOOD, tmp_path, dirs_exist_ok=True)
    (tmp_path / "devices.d" / "stack-1.toml").unlink()

    def make(device: str = DEVICE, profile: str = PROFILE) -> Plan:
        (tmp_path / "devices.d" / "analyzer.toml").write_text(device, encoding="utf-8")
        file = tmp_path / "profiles.d" / "example" / "analyzer.toml"
        file.write_text(profile, encoding="utf-8")
        return load_plan(tmp_path / "agent.toml", environ={}, overrides={})

    return make


def test_points_have_the_addresses_of_the_protocol_by_rising_channel(make_plan: MakePlan) -> None:
    (device,) = make_plan().devices

    assert tuple(device.points) == (
        Point(
            channel=11, place=Register(table=Table.INPUT, address=10), raw_type="int16", status=None
        ),
        Point(
            channel=12,
            place=Register(table=Table.HOLDING, address=0),
            raw_type="uint32",
            status=Register(table=Table.HOLDING, address=2),
        ),
        Point(
            channel=13,
            place=Register(table=Table.DISCRETE, address=0),
            raw_type="bool",
            status=None,
        ),
    )
    assert speech_of(device.speech).unreadable == ((Table.HOLDING, 100, 109),)


def test_a_device_has_what_its_file_and_its_profile_say(make_plan: MakePlan) -> None:
    (device,) = make_plan().devices

    assert device.endpoint == Endpoint(scheme="tcp", host="fe80::1", port=1502)
    assert str(device.endpoint) == "tcp://[fe80::1]:1502"
    assert (device.name, speech_of(device.speech).unit_id) == ("analyzer", 7)
    assert (device.period_s, device.timeout_s) == (2.0, 0.5)
    assert speech_of(device.speech).max_registers_per_read == 20
    assert device.limits == (
        Limits(),
        Limits(low=Decimal(0), high=Decimal("90.5"), stuck_after_s=600.0),
        Limits(),
    )


def test_status_words_become_rules_with_the_one_for_all_others_last(make_plan: MakePlan) -> None:
    (device,) = make_plan().devices

    assert device.status_rules[0] == device.status_rules[2] == ()
    rules = [(r.mask, r.value, r.quality, r.is_otherwise) for r in device.status_rules[1]]
    failure = int(QualityClass.FAILURE | Reason.DEVICE_FAULT | Reason.SATURATED)
    assert rules == [
        (0x8000, 0x8000, failure, False),
        (0x30, 0x00, QualityClass.FUNCTION_CHECK | Phase.WARM_UP << 4, False),
        (0x30, 0x10, QualityClass.GOOD, False),
        (0x30, 0, QualityClass.MAINTENANCE_REQUEST | Phase.UNKNOWN << 4, True),
    ]


def test_the_bundle_says_how_raw_words_become_values(make_plan: MakePlan) -> None:
    plan = make_plan()
    bundle = parse_bundle(plan.bundle.content())

    assert sha256(plan.bundle.content()).digest() == plan.config_hash
    assert [row.channel for row in bundle.channels] == [11, 12, 13]
    (device,) = plan.devices
    assert bundle.channels == tuple(device.channels)
    wide = bundle.channels[1]
    assert (wide.scale, wide.offset, wide.resolution) == ("0.001", "-10", "0.50")
    assert (wide.word_order, bundle.channels[0].word_order) == ("CDAB", "ABCD")
    assert (wide.facility, bundle.channels[0].facility) == ("annex", "facility-001")
    assert (wide.status_source, bundle.channels[0].status_source) == ("holding:2", None)


def test_the_bundle_says_how_readings_were_judged(make_plan: MakePlan) -> None:
    bundle = parse_bundle(make_plan().bundle.content())

    assert bundle.judging["channel_12"] == {
        "low": "0",
        "high": "90.5",
        "max_rate_per_s": None,
        "stuck_after_s": "600.0",
        "gap_after_s": "900.0",
    }
    assert bundle.simulated


def test_the_bundle_names_the_profile_by_the_hash_of_its_bytes(make_plan: MakePlan) -> None:
    plan = make_plan()
    digest = sha256(PROFILE.encode()).digest()

    assert [(one.digest, one.content()) for one in plan.profiles] == [(digest, PROFILE.encode())]
    assert parse_bundle(plan.bundle.content()).profiles == {"example__analyzer": digest.hex()}
    assert {row.profile_hash for row in parse_bundle(plan.bundle.content()).channels} == {
        digest.hex()
    }


def test_the_bundle_tells_neither_addresses_nor_files(make_plan: MakePlan) -> None:
    plan = make_plan()
    text = plan.bundle.content().decode()

    for secret in ("fe80", "1502", "127.0.0.1", "8080", "gateway.key", "buffer.db", "pem"):
        assert secret not in text
    assert json.loads(text)["agent"]["commit_interval_s"] == "10.0"


def test_the_same_files_give_the_same_bundle_wherever_they_lie(
    make_plan: MakePlan, tmp_path: Path
) -> None:
    plan = make_plan()
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(tmp_path, elsewhere, ignore=lambda *_: ["elsewhere"])

    assert load_plan(elsewhere / "agent.toml", environ={}, overrides={}).bundle == plan.bundle


@pytest.mark.parametrize(
    ("word_order", "short", "wide"),
    [
        ("ABCD", "ABCD", "ABCD"),
        ("CDAB", "ABCD", "CDAB"),
        ("BADC", "BADC", "BADC"),
        ("DCBA", "BADC", "DCBA"),
    ],
)
def test_in_one_register_only_the_bytes_can_be_swapped(
    word_order: str, short: str, wide: str, make_plan: MakePlan
) -> None:
    (device,) = make_plan(DEVICE.replace("CDAB", word_order)).devices

    assert [row.word_order for row in device.channels] == [short, wide, ""]


@pytest.mark.parametrize(
    ("endpoint", "port"), [("tcp://plant", 502), ("tcp://plant:1", 1), ("tcp://10.0.0.1", 502)]
)
def test_modbus_has_a_port_of_its_own(endpoint: str, port: int, make_plan: MakePlan) -> None:
    (device,) = make_plan(DEVICE.replace("tcp://[fe80::1]:1502", endpoint)).devices

    assert device.endpoint.port == port


@pytest.mark.parametrize(
    "endpoint",
    ["tcp://", "tcp://a:0", "tcp://a/b", "tcp://a?b", "tcp://[1", "udp://a"],
)
def test_what_is_no_endpoint_is_refused(endpoint: str, make_plan: MakePlan) -> None:
    with pytest.raises(ConfigurationError, match="does not say where the device answers"):
        make_plan(DEVICE.replace("tcp://[fe80::1]:1502", endpoint))
