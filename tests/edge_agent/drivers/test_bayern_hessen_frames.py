"""Frames of Bayern-Hessen: the printed examples, every number, and everything that is no answer."""

import struct
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge_agent.drivers.bayern_hessen_frames import (
    LONGEST,
    Reported,
    answer_in,
    checksum,
    framed,
    query,
    reported,
)

# Thermo 42i Trace Level instruction manual, pp. D-5 and D-6.
THREE = (
    "MD03 001 +2578+01 03 04 0000000000 002 +5681+00 03 04 0000000000 "
    "003 +1175+01 03 04 0000000000 "
)
# Serinus 10 user manual 3.2, p. 217: with gas id and serial number.
ONE = "MD01 097 +2578+01 44 20 310 000815 "


def number(raw: int) -> float:
    (value,) = struct.unpack("<d", struct.pack("<q", raw))
    assert isinstance(value, float)
    return value


def test_the_query_is_that_of_the_manual() -> None:
    # Serinus 44 user manual 3.0, p. 168: the request for instrument 97.
    assert query(97) == b"\x02DA097\x033A"


def test_the_other_printed_checksum_holds_too() -> None:
    # p. 169: an instrument with the id 843. We never send this; only its checksum is of use.
    assert checksum(b"\x02ST843 K\x03") == 0x52


@pytest.mark.parametrize(
    ("digits", "value"),
    [
        # Thermo 42i Trace Level instruction manual, pp. D-5 and D-6.
        ("-5384+06", -5384000.0),
        ("+4567-02", 0.04567),
        ("+2578+01", 25.78),
        ("+5681+00", 5.681),
        ("+1175+01", 11.75),
    ],
)
def test_a_number_is_what_the_manual_says(digits: str, value: float) -> None:
    (one,) = reported(f"MD01 001 {digits} 00 00 0000000000 ")
    assert number(one.raw) == value


@given(st.integers(0, 9999), st.integers(-99, 99), st.sampled_from("+-"))
@example(0, 0, "-")
def test_a_number_is_the_nearest_double(digits: int, exponent: int, sign: str) -> None:
    (one,) = reported(f"MD01 001 {sign}{digits:04d}{exponent:+03d} 00 00 000 000000 ")
    exact = Decimal(digits).scaleb(exponent - 3)
    assert number(one.raw) == float(-exact if sign == "-" else exact)


def test_every_value_bears_its_instrument_status_and_failure() -> None:
    assert [(one.instrument, one.status, one.gas_id) for one in reported(THREE)] == [
        (1, 0x0304, None),
        (2, 0x0304, None),
        (3, 0x0304, None),
    ]
    (one,) = reported(ONE)
    assert (one.instrument, one.status, one.gas_id) == (97, 0x4420, 310)


def test_an_answer_without_values_has_none() -> None:
    assert reported("MD00") == ()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "MD",
        "MD1 097 +2578+01 44 20 310 000815",
        "DA097",
        "MD00 097",
        "MD02 097 +2578+01 44 20 310 000815",
        "MD01 097 +2578+01 44 20",
        "MD01 097 +2578+01 44 20 310 000815 1",
        "MD01 97 +2578+01 44 20 310 000815",
        "MD01 097 2578+01 44 20 310 000815",
        "MD01 097 +257+01 44 20 310 000815",
        "MD01 097 +2578+1 44 20 310 000815",
        "MD01 097 +25.8+01 44 20 310 000815",
        "MD01 097 +2578+01 4G 20 310 000815",
        "MD01 097 +2578+01 44 2 310 000815",
        "MD01 097 +2578+01 44 20 31x 000815",
        "MD01 097 +٢٥٧٨+01 44 20 310 000815",
    ],
)
def test_what_is_no_answer_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        reported(text)


@given(st.integers(0, len(framed(ONE.encode())) - 1), st.integers(1, 255))
def test_one_octet_that_was_hit_never_gives_another_answer(index: int, hit: int) -> None:
    frame = bytearray(framed(ONE.encode()))
    frame[index] ^= hit
    try:
        found = answer_in(bytes(frame))
    except ValueError:
        return
    # A digit of the checksum in lower case says the same.
    assert found is None or found == (ONE, b"")


@given(st.binary(max_size=40).filter(lambda noise: b"\x03" not in noise), st.binary(max_size=40))
def test_a_frame_is_found_among_noise_and_what_follows_is_kept(noise: bytes, rest: bytes) -> None:
    assert answer_in(noise + framed(ONE.encode()) + rest) == (ONE, rest)


@given(st.integers(0, len(framed(ONE.encode())) - 1))
def test_a_frame_that_is_not_whole_is_waited_for(size: int) -> None:
    assert answer_in(framed(ONE.encode())[:size]) is None


@pytest.mark.parametrize("received", [b"\x02" + b"0" * LONGEST, b"MD00\x0300"])
def test_what_can_never_be_a_frame_is_not_waited_for(received: bytes) -> None:
    with pytest.raises(ValueError, match="without"):
        answer_in(received)


def test_values_are_immutable() -> None:
    one = Reported(instrument=1, raw=0, status=0, gas_id=None)
    with pytest.raises(AttributeError):
        one.raw = 1  # type: ignore[misc] # that is the point
