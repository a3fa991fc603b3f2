"""Printed addresses to addresses of the protocol, in every way that documents count."""

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.config.device import Table
from edge_agent.config.device_model import ChannelSettings, DeviceSettings
from edge_agent.config.device_parts import Limits
from edge_agent.config.finding import Finding
from edge_agent.config.library import Library, LoadedProfile
from edge_agent.config.protocols.modbus_addresses import address_of, pdu_address, register_count
from edge_agent.config.reading import LARGEST_FILE_BYTES, read_toml
from edge_agent.config.resolve import device_of
from edge_agent.config.vocabulary import Addressing, WordOrder


@pytest.mark.parametrize(
    ("table", "printed", "addressing", "address"),
    [
        (Table.HOLDING, 0, Addressing.ZERO_BASED, 0),
        (Table.HOLDING, 65_535, Addressing.ZERO_BASED, 65_535),
        (Table.HOLDING, 65_536, Addressing.ZERO_BASED, None),
        (Table.INPUT, 0, Addressing.ONE_BASED, None),
        (Table.INPUT, 1, Addressing.ONE_BASED, 0),
        (Table.INPUT, 65_536, Addressing.ONE_BASED, 65_535),
        (Table.HOLDING, 40_001, Addressing.MODICON, 0),
        (Table.HOLDING, 49_999, Addressing.MODICON, 9_998),
        (Table.HOLDING, 400_001, Addressing.MODICON, 0),
        (Table.HOLDING, 465_536, Addressing.MODICON, 65_535),
        (Table.HOLDING, 40_000, Addressing.MODICON, None),
        (Table.HOLDING, 50_000, Addressing.MODICON, None),
        (Table.HOLDING, 30_001, Addressing.MODICON, None),
        (Table.INPUT, 30_022, Addressing.MODICON, 21),
        (Table.INPUT, 300_011, Addressing.MODICON, 10),
        (Table.INPUT, 40_001, Addressing.MODICON, None),
        (Table.DISCRETE, 10_001, Addressing.MODICON, 0),
        (Table.DISCRETE, 100_001, Addressing.MODICON, 0),
        (Table.COIL, 1, Addressing.MODICON, 0),
        (Table.COIL, 9_999, Addressing.MODICON, 9_998),
        (Table.COIL, 0, Addressing.MODICON, None),
    ],
)
def test_a_printed_address_is_counted_as_its_document_counts(
    table: Table, printed: int, addressing: Addressing, address: int | None
) -> None:
    assert pdu_address(table, printed, addressing) == address


@given(table=st.sampled_from(Table), address=st.integers(0, 9_998))
def test_five_and_six_digits_mean_the_same_register(table: Table, address: int) -> None:
    short = {Table.COIL: 1, Table.DISCRETE: 10_001, Table.INPUT: 30_001, Table.HOLDING: 40_001}
    long = {Table.DISCRETE: 100_001, Table.INPUT: 300_001, Table.HOLDING: 400_001}

    printed = {short[table] + address, long.get(table, 1) + address}
    assert {pdu_address(table, one, Addressing.MODICON) for one in printed} == {address}


def test_an_unknown_addressing_gives_no_address() -> None:
    with pytest.raises(ValueError, match="unknown"):
        pdu_address(Table.INPUT, 1, Addressing.UNKNOWN)
    with pytest.raises(ValueError, match="no zero_based address"):
        address_of(Table.INPUT, 65_536, Addressing.ZERO_BASED)


@pytest.mark.parametrize(
    ("raw_type", "count"),
    [("bool", 1), ("bit0", 1), ("bit15", 1), ("int16", 1), ("uint32", 2), ("float64", 4)],
)
def test_a_value_takes_as_many_registers_as_it_has_words(raw_type: str, count: int) -> None:
    assert register_count(raw_type) == count


@pytest.mark.parametrize("key", ["endpoint", "word_order", "limits"])
def test_settings_with_misfits_give_no_device(key: str, tmp_path: Path) -> None:
    loaded = Library.beside(tmp_path / "agent.toml").load("emissionwatch/simulated-stack")
    assert isinstance(loaded, LoadedProfile)
    settings = DeviceSettings(
        name="device",
        profile=loaded.profile.id,
        endpoint="nowhere" if key == "endpoint" else "tcp://plant",
        word_order=WordOrder.UNKNOWN if key == "word_order" else None,
        channels=(
            ChannelSettings(
                number=1,
                point="nox_ppm",
                name="NOx",
                limits=Limits(low=Decimal(500) if key == "limits" else None),
            ),
        ),
    )

    with pytest.raises(ValueError, match="misfits"):
        device_of(settings, loaded, facility="plant")


def test_a_file_that_is_too_large_is_no_configuration(tmp_path: Path) -> None:
    path = tmp_path / "large.toml"
    path.write_bytes(b"#" * (LARGEST_FILE_BYTES + 1))

    finding = read_toml(path)

    assert isinstance(finding, Finding)
    assert "is no configuration" in finding.message


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    finding = read_toml(tmp_path)

    assert isinstance(finding, Finding)
    assert finding.message == "cannot be read: Is a directory"
