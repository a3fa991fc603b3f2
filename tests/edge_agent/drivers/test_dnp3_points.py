"""What flags mean, and which values of an outstation are points of a device."""

from dataclasses import replace
from enum import IntFlag

import pytest
from dnp3.core.flags import IIN, AnalogQuality, BinaryQuality, CounterQuality, DoubleBitQuality

from edge_agent.config.protocols.dnp3 import ObjectKind
from edge_agent.drivers.dnp3_objects import values_of
from edge_agent.drivers.dnp3_points import (
    COMMON,
    Flag,
    Indication,
    Points,
    place_of,
    quality_of,
    speech_of,
)
from edge_agent.wire.vocabulary import NO_VALUE, QualityClass, Reason
from tests.conformance.driver.outstation import device
from tests.conformance.driver.opcua import device as opcua_device

KIND = ObjectKind
GOOD, DOUBTED, FAILED = 0, int(QualityClass.OUT_OF_SPECIFICATION), int(QualityClass.FAILURE)
DEVICE, COMMUNICATION = int(Reason.DEVICE_FAULT), int(Reason.COMMUNICATION)
SUBSTITUTED, SATURATED = int(Reason.SUBSTITUTED), int(Reason.SATURATED)

# reference: the quality mapping of IEEE 1815-2012 flags; worst wins, all reasons stay.
CASES = [
    (KIND.ANALOG_INPUT, 0x01, GOOD),
    (KIND.ANALOG_INPUT, 0x00, FAILED | DEVICE),
    (KIND.ANALOG_INPUT, 0x02, FAILED | NO_VALUE),
    (KIND.ANALOG_INPUT, 0x03, FAILED | NO_VALUE),
    (KIND.ANALOG_INPUT, 0x04, FAILED | COMMUNICATION),
    (KIND.ANALOG_INPUT, 0x05, FAILED | COMMUNICATION),
    (KIND.ANALOG_INPUT, 0x09, DOUBTED | SUBSTITUTED),
    (KIND.ANALOG_INPUT, 0x11, DOUBTED | SUBSTITUTED),
    (KIND.ANALOG_INPUT, 0x10, FAILED | SUBSTITUTED),
    (KIND.ANALOG_INPUT, 0x21, FAILED | SATURATED),
    (KIND.ANALOG_INPUT, 0x41, DOUBTED),
    (KIND.ANALOG_INPUT, 0x65, FAILED | SATURATED | COMMUNICATION),
    (KIND.ANALOG_OUTPUT, 0x21, FAILED | SATURATED),
    (KIND.BINARY_INPUT, 0x81, GOOD),
    (KIND.BINARY_INPUT, 0x21, DOUBTED),
    (KIND.BINARY_INPUT, 0x41, GOOD),
    (KIND.BINARY_OUTPUT, 0x80, FAILED | DEVICE),
    (KIND.DOUBLE_BIT_INPUT, 0xC1, GOOD),
    (KIND.DOUBLE_BIT_INPUT, 0xE1, DOUBTED),
    (KIND.COUNTER, 0x21, GOOD),
    (KIND.COUNTER, 0x41, DOUBTED),
    (KIND.FROZEN_COUNTER, 0x41, DOUBTED),
]


@pytest.mark.parametrize(("kind", "flags", "quality"), CASES)
def test_flags_mean_what_the_table_says(kind: ObjectKind, flags: int, quality: int) -> None:
    assert quality_of(kind, flags) == quality


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        *((kind, [flag for flag, _ in COMMON]) for kind in (AnalogQuality, BinaryQuality)),
        *((kind, [flag for flag, _ in COMMON]) for kind in (CounterQuality, DoubleBitQuality)),
        (AnalogQuality, [Flag.OVER_RANGE, Flag.REFERENCE_ERR]),
        (BinaryQuality, [Flag.CHATTER_FILTER]),
        (DoubleBitQuality, [Flag.CHATTER_FILTER]),
        (CounterQuality, [Flag.DISCONTINUITY]),
        (IIN, list(Indication)),
    ],
)
def test_bits_are_those_of_dnp3py(theirs: type[IntFlag], ours: list[IntFlag]) -> None:
    values = {name: int(bit) for name, bit in theirs.__members__.items()}
    names = {
        name: int(bit) for kind in (Flag, Indication) for name, bit in kind.__members__.items()
    }
    for bit in ours:
        assert any(values.get(name) == number == int(bit) for name, number in names.items())


# Analog inputs 0 and 1 as binary32, online; binary input 0 with flags; counter 0.
WHOLE = (
    b"\x1e\x05\x00\x00\x01\x01\x00\x00\x80\x3f\x01\x00\x00\x00\x40"
    b"\x01\x02\x00\x00\x00\x81"
    b"\x14\x01\x00\x00\x00\x01\x07\x00\x00\x00"
)


def test_present_values_are_found_by_kind_and_index() -> None:
    values, _ = values_of(WHOLE)
    raw, status, transport = Points(device(1)).present(values, 0)
    assert raw.tolist() == [0x3F80_0000, 0x4000_0000, 1, 7]
    assert status.tolist() == [1, 1, 0x81, 1]
    assert transport.tolist() == [0, 0, 0, 0]


def test_a_point_that_is_not_there_is_told_and_others_are_passed_over() -> None:
    # Analog inputs 1 and 2: 0 is missing, nobody asked for 2.
    values, _ = values_of(b"\x1e\x05\x00\x01\x02\x01\x00\x00\x80\x3f\x01\x00\x00\x00\x40")
    raw, _, transport = Points(device(1)).present(values, 0)
    missing = FAILED | NO_VALUE | int(Reason.REFUSED)
    assert transport.tolist() == [missing, 0, missing, missing]
    assert raw.tolist() == [0, 0x3F80_0000, 0, 0]


def test_a_value_of_another_type_is_none() -> None:
    # Analog input 0 as a whole number, where the profile says binary32.
    values, _ = values_of(b"\x1e\x01\x00\x00\x00\x01\x05\x00\x00\x00")
    raw, status, transport = Points(device(1)).present(values, 0)
    assert transport.tolist()[0] == FAILED | NO_VALUE | COMMUNICATION
    assert (raw.tolist()[0], status.tolist()[0]) == (0, 1)


def test_a_device_in_trouble_asks_for_maintenance_whatever_its_flags_say() -> None:
    values, _ = values_of(WHOLE.replace(b"\x00\x01\x01", b"\x00\x01\x41", 1))
    _, _, transport = Points(device(1)).present(values, Indication.DEVICE_TROUBLE)
    trouble = int(QualityClass.MAINTENANCE_REQUEST) | DEVICE
    assert transport.tolist() == [DOUBTED | DEVICE, trouble, trouble, trouble]


def test_a_device_of_another_protocol_is_a_mistake_of_ours() -> None:
    other = opcua_device(1)
    with pytest.raises(TypeError, match="does not speak DNP3"):
        speech_of(other)
    with pytest.raises(TypeError, match="is no point of an outstation"):
        place_of(replace(other.points[0]))
