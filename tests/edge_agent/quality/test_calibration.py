"""Zero and span checks become events that say how far the analyzer is off."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Final

import pytest

from edge_agent.config.device import Calibration, Device, StatusRule
from edge_agent.config.device_parts import Limits
from edge_agent.quality.judge import Judge
from edge_agent.wire.canonical import JsonValue
from edge_agent.wire.vocabulary import Phase, QualityClass
from tests.edge_agent.quality.conftest import MakeDevice, MakeScan

MEASURING, ZERO, SPAN, PURGE, AUDIT = 0, 1, 2, 3, 4
RULES: Final = tuple(
    StatusRule(mask=0xF, value=value, quality=QualityClass.FUNCTION_CHECK | phase << 4)
    for value, phase in (
        (ZERO, Phase.ZERO_CHECK),
        (SPAN, Phase.SPAN_CHECK),
        (PURGE, Phase.PURGE),
        (AUDIT, Phase.OTHER_CHECK_GAS),
    )
)
S: Final = 1_000_000_000
KNOWN: Final = Calibration(index=0, span=Decimal(500), span_reference=Decimal(450))


@pytest.fixture
def device(make_device: MakeDevice) -> Device:
    """Return two measurements with one status word, and what the checks of the first gave."""
    one = make_device([Limits()] * 3, rules=RULES)
    return replace(one, calibrations=(KNOWN, Calibration(index=1)))


def told(
    device: Device, make_scan: MakeScan, *said: tuple[int, Sequence[float | None]]
) -> list[dict[str, JsonValue]]:
    """Return the fields of the events of scans, each a status word and values."""
    judge = Judge(device, simulated=False)
    found: list[dict[str, JsonValue]] = []
    for at_s, (status, values) in enumerate(said):
        scan = make_scan(values, mono_ns=at_s * S, status=status)
        for event in judge.judge(scan).events:
            assert (event.type, event.at_ns, event.mono_ns) == (
                "calibration",
                scan.at_ns,
                scan.mono_ns,
            )
            assert event.line
            found.append(dict(event.fields))
    return found


def begun(*channels: int, phase: Phase) -> dict[str, JsonValue]:
    """Return the beginning of a check."""
    return {"state": "begun", "channels": list(channels), "phase": int(phase)}


def ended(channel: int, phase: Phase, **figures: str) -> dict[str, JsonValue]:
    """Return the end of a check."""
    return {"state": "ended", "channels": [channel], "phase": int(phase), **figures}


def test_a_measurement_in_no_check_tells_nothing(device: Device, make_scan: MakeScan) -> None:
    assert told(device, make_scan, (MEASURING, [1, 2, 3]), (PURGE, [1, 2, 3])) == []


def test_a_zero_and_a_span_check_end_with_reference_reading_and_drift(
    device: Device, make_scan: MakeScan
) -> None:
    said = (
        (MEASURING, [100, 7, 0]),
        (ZERO, [20, 7, 0]),
        (ZERO, [1.5, 7, 0]),
        (SPAN, [440, 7, 0]),
        (SPAN, [443.5, 7, 0]),
        (MEASURING, [101, 7, 0]),
    )

    assert told(device, make_scan, *said) == [
        begun(1, 2, phase=Phase.ZERO_CHECK),
        # (1.5 - 0) x 100 / 500, then (443.5 - 450) x 100 / 500.
        ended(1, Phase.ZERO_CHECK, reference="0", reading="1.5", drift_pct_span="0.300"),
        ended(2, Phase.ZERO_CHECK),
        begun(1, 2, phase=Phase.SPAN_CHECK),
        ended(1, Phase.SPAN_CHECK, reference="450", reading="443.5", drift_pct_span="-1.300"),
        ended(2, Phase.SPAN_CHECK),
    ]


def test_drift_is_told_to_a_thousandth_of_a_per_cent(device: Device, make_scan: MakeScan) -> None:
    device = replace(device, calibrations=(replace(KNOWN, span=Decimal(300)),))

    assert told(device, make_scan, (ZERO, [1, 0, 0]), (MEASURING, [0, 0, 0]))[-1] == ended(
        1, Phase.ZERO_CHECK, reference="0", reading="1.0", drift_pct_span="0.333"
    )


def test_what_the_device_says_of_its_check_stands_before_the_last_number(
    device: Device, make_scan: MakeScan
) -> None:
    facts = replace(KNOWN, zero_reading_index=2, zero_reference_index=1)
    device = replace(device, calibrations=(facts,))
    said = ((ZERO, [20, 5, 0]), (MEASURING, [100, 5, 10]))

    assert told(device, make_scan, *said)[-1] == ended(
        1, Phase.ZERO_CHECK, reference="5.0", reading="10.0", drift_pct_span="1.000"
    )


@pytest.mark.parametrize(
    ("known", "last"),
    [
        (replace(KNOWN, span=None), 443.5),
        (replace(KNOWN, span_reference=None), 443.5),
        (KNOWN, float("nan")),
        (replace(KNOWN, span_reading_index=2), 443.5),
    ],
    ids=["no span", "no reference", "no number", "the device does not say what it read"],
)
def test_a_check_of_which_something_is_not_known_ends_without_figures(
    known: Calibration, last: float, device: Device, make_scan: MakeScan
) -> None:
    device = replace(device, calibrations=(known,))

    assert told(device, make_scan, (SPAN, [last, 0, None]), (MEASURING, [100, 0, None])) == [
        begun(1, phase=Phase.SPAN_CHECK),
        ended(1, Phase.SPAN_CHECK),
    ]


def test_a_check_gas_that_is_neither_zero_nor_span_has_no_figures(
    device: Device, make_scan: MakeScan
) -> None:
    device = replace(device, calibrations=(KNOWN,))

    assert told(device, make_scan, (AUDIT, [250, 0, 0]), (MEASURING, [100, 0, 0])) == [
        begun(1, phase=Phase.OTHER_CHECK_GAS),
        ended(1, Phase.OTHER_CHECK_GAS),
    ]


def test_the_numbers_of_the_last_check_are_not_those_of_the_next(
    device: Device, make_scan: MakeScan
) -> None:
    device = replace(device, calibrations=(KNOWN,))
    said = (
        (ZERO, [1, 0, 0]),
        (MEASURING, [100, 0, 0]),
        (ZERO, [float("nan"), 0, 0]),
        (MEASURING, [100, 0, 0]),
    )

    assert told(device, make_scan, *said)[-1] == ended(1, Phase.ZERO_CHECK)


def test_a_scan_without_a_status_word_does_not_end_a_check(
    device: Device, make_scan: MakeScan
) -> None:
    device = replace(device, calibrations=(KNOWN,))
    said = ((ZERO, [1, 0, 0]), (ZERO, [None, 0, 0]), (ZERO, [2, 0, 0]), (MEASURING, [90, 0, 0]))

    assert told(device, make_scan, *said) == [
        begun(1, phase=Phase.ZERO_CHECK),
        ended(1, Phase.ZERO_CHECK, reference="0", reading="2.0", drift_pct_span="0.400"),
    ]


def test_a_check_commits_at_once(device: Device, make_scan: MakeScan) -> None:
    judge = Judge(device, simulated=False)
    judge.judge(make_scan([1, 2, 3]))

    assert judge.judge(make_scan([1, 2, 3], mono_ns=S, status=ZERO)).is_alarm
