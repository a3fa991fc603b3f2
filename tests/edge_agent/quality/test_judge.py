"""What the judge says of single scans and of short series."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Final

import numpy as np
import pytest

from edge_agent.config.device import Device, StatusRule
from edge_agent.config.device_parts import Limits
from edge_agent.quality.judge import Judge
from edge_agent.wire.readings import Scan
from edge_agent.wire.vocabulary import NO_VALUE, Phase, QualityClass, Reason

MakeDevice = Callable[..., Device]
MakeScan = Callable[..., Scan]

S: Final = 1_000_000_000
JUDGED: Final = int(Reason.JUDGED)
DOUBTED: Final = int(QualityClass.OUT_OF_SPECIFICATION)
NAN: Final = int(QualityClass.FAILURE | Reason.NOT_A_NUMBER)
REFUSED: Final = int(QualityClass.FAILURE | NO_VALUE | Reason.REFUSED)
ZERO_CHECK: Final = int(QualityClass.FUNCTION_CHECK | Phase.ZERO_CHECK << 4)
FAULT: Final = int(QualityClass.FAILURE | Reason.DEVICE_FAULT)
RULES: Final = (
    StatusRule(mask=1, value=1, quality=FAULT),
    StatusRule(mask=2, value=2, quality=ZERO_CHECK),
)
RANGE: Final = Limits(low=Decimal(-5), high=Decimal(100))
PAST: Final = Limits(max_rate_per_s=Decimal(10), stuck_after_s=3.0, gap_after_s=60.0)


def verdicts(
    judge: Judge, make_scan: MakeScan, series: Sequence[tuple[float, float | None]]
) -> list[int]:
    """Return what is said of one channel, without JUDGED, at times in seconds."""
    said = []
    for at_s, value in series:
        judgement = judge.judge(make_scan([value], mono_ns=round(at_s * S)))
        said.append(int(judgement.readings.quality[0]) & ~JUDGED)
    return said


@pytest.mark.parametrize(
    ("value", "quality"),
    [
        (-5.0, 0),
        (-5.2, 0),  # on the limit once counted in steps of 0.5
        (-5.25, DOUBTED | Reason.BELOW_RANGE),
        (100.0, 0),
        (100.24, 0),
        (100.25, DOUBTED | Reason.ABOVE_RANGE),
        (math.nan, NAN),
        (math.inf, NAN),
        (-math.inf, NAN),
        (1e300, NAN),
        (None, NO_VALUE),
    ],
)
def test_a_value_is_judged_by_its_limits(
    value: float | None, quality: int, make_device: MakeDevice, make_scan: MakeScan
) -> None:
    judge = Judge(make_device([RANGE]), simulated=False)

    assert verdicts(judge, make_scan, [(0, value)]) == [quality]


def test_every_row_is_judged_and_marked_as_simulated_when_it_is(
    make_device: MakeDevice, make_scan: MakeScan
) -> None:
    values = [1.0, math.nan, None, 1000.0]
    device = make_device([RANGE] * 4)

    real = Judge(device, simulated=False).judge(make_scan(values)).readings.quality
    simulated = Judge(device, simulated=True).judge(make_scan(values)).readings.quality

    assert (real & np.uint32(Reason.JUDGED)).all()
    assert not (real & np.uint32(Reason.SIMULATED)).any()
    assert (simulated == real | np.uint32(Reason.SIMULATED)).all()


def test_everything_but_the_quality_passes_through_unaltered(
    make_device: MakeDevice, make_scan: MakeScan
) -> None:
    scan = make_scan([1.0, math.nan, None, 1e6], mono_ns=7 * S, status=[1, 2, 3, 0])
    before = [array.tobytes() for array in (scan.channel, scan.raw, scan.status, scan.transport)]

    readings = Judge(make_device([RANGE] * 4, rules=RULES), simulated=True).judge(scan).readings

    after = [array.tobytes() for array in (readings.channel, readings.raw, readings.status)]
    assert after == before[:3]
    assert scan.transport.tobytes() == before[3]
    assert (readings.at_ns, readings.mono_ns) == (scan.at_ns, scan.mono_ns)


def test_quality_of_one_scan_does_not_change_with_the_next(
    make_device: MakeDevice, make_scan: MakeScan
) -> None:
    judge = Judge(make_device([RANGE], rules=RULES), simulated=False)
    first = judge.judge(make_scan([1.0])).readings.quality
    before = first.tobytes()

    for status, value in ((1, 1.0), (0, 1000.0), (0, math.nan)):
        judge.judge(make_scan([value], status=status))

    assert first.tobytes() == before
    with pytest.raises(ValueError, match="read-only"):
        first[0] = 0


def test_the_worst_of_device_and_checks_wins_and_all_reasons_stay(
    make_device: MakeDevice, make_scan: MakeScan
) -> None:
    judge = Judge(make_device([RANGE] * 4, rules=RULES), simulated=False)

    scan = make_scan([1.0, 1000.0, 1000.0, math.nan], status=[0, 1, 2, 3])
    quality = judge.judge(scan).readings.quality

    assert (quality & ~np.uint32(JUDGED)).tolist() == [
        0,
        FAULT | Reason.ABOVE_RANGE,
        ZERO_CHECK | Reason.ABOVE_RANGE,
        FAULT | ZERO_CHECK & 0xF0 | Reason.NOT_A_NUMBER,
    ]


@pytest.mark.parametrize(
    ("transport", "quality"),
    [
        (0, FAULT),
        (int(Reason.LATE), FAULT | Reason.LATE),
        (int(Reason.SAMPLES_LOST | DOUBTED), FAULT | Reason.SAMPLES_LOST),
        (int(Reason.SUBSTITUTED), FAULT | Reason.SUBSTITUTED),
        # Where no status word was read, the 0 in its place says nothing (and 1 would not either).
        (REFUSED, REFUSED),
        (int(DOUBTED | Reason.REFUSED | Reason.NO_FLAGS),) * 2,
    ],
)
def test_what_the_driver_knows_passes_through(
    transport: int, quality: int, make_device: MakeDevice, make_scan: MakeScan
) -> None:
    judge = Judge(make_device([RANGE], rules=RULES), simulated=False)

    judged = judge.judge(make_scan([1000.0], status=1, transport=transport)).readings

    is_outside = 0 if transport & NO_VALUE else int(Reason.ABOVE_RANGE)
    assert int(judged.quality[0]) == quality | JUDGED | is_outside


@pytest.mark.parametrize(
    ("series", "said"),
    [
        pytest.param([(0, 0), (1, 10), (2, 0)], [0, 0, 0], id="exactly as fast as allowed"),
        pytest.param([(0, 0), (1, 10.5)], [0, Reason.SPIKE], id="faster"),
        pytest.param([(0, 0), (1, -10.5)], [0, Reason.SPIKE], id="faster downwards"),
        pytest.param([(0, 0), (2, 20)], [0, 0], id="twice as far in twice the time"),
        pytest.param([(0, 0), (1, None), (2, 20)], [0, NO_VALUE, 0], id="over a missing value"),
        pytest.param(
            [(0, 0), (1, math.nan), (2, 20.5)],
            [0, NAN, Reason.SPIKE],
            id="over what is no number",
        ),
        pytest.param([(0, 0), (0, 50)], [0, 0], id="no time has passed"),
        pytest.param([(9, 0), (3, 50), (4, 50)], [0, 0, 0], id="the clock goes back"),
        pytest.param([(0, 0), (61, 500)], [0, Reason.AFTER_GAP], id="over a gap"),
        pytest.param([(0, 0), (60, 600)], [0, 0], id="just not a gap"),
        pytest.param([(0, 1e4)], [0], id="the first value"),
    ],
)
def test_a_change_is_compared_with_the_last_number(
    series: list[tuple[float, float | None]],
    said: list[int],
    make_device: MakeDevice,
    make_scan: MakeScan,
) -> None:
    judge = Judge(make_device([PAST]), simulated=False)

    reasons = [word | DOUBTED if word == Reason.SPIKE else word for word in said]
    assert verdicts(judge, make_scan, series) == reasons


@pytest.mark.parametrize(
    ("series", "said"),
    [
        pytest.param([(0, 1), (1, 1), (2, 1), (2.9, 1)], [0, 0, 0, 0], id="not yet"),
        pytest.param([(0, 1), (3, 1), (4, 1)], [0, 1, 1], id="from its limit on"),
        pytest.param([(0, 1), (3, 1), (4, 1.5), (5, 1.5)], [0, 1, 0, 0], id="until it moves"),
        pytest.param([(0, 1), (2, 2), (3, 1), (5, 1)], [0, 0, 0, 0], id="it came back"),
        pytest.param([(0, 1), (2, None), (4, 1)], [0, NO_VALUE, 1], id="over a missing value"),
        pytest.param([(0, 1), (2, 1.2), (4, 0.9)], [0, 0, 1], id="within one step"),
        pytest.param([(5, 1), (1, 1), (3, 1), (4, 1)], [0, 0, 0, 1], id="the clock goes back"),
        pytest.param([(0, 1), (61, 1), (63, 1), (64, 1)], [0, 2, 0, 1], id="anew after a gap"),
    ],
)
def test_a_value_is_stuck_while_it_stands_still(
    series: list[tuple[float, float | None]],
    said: list[int],
    make_device: MakeDevice,
    make_scan: MakeScan,
) -> None:
    judge = Judge(make_device([PAST]), simulated=False)

    words = {1: DOUBTED | Reason.STUCK, 2: int(Reason.AFTER_GAP)}
    assert verdicts(judge, make_scan, series) == [words.get(word, word) for word in said]


def test_a_check_of_the_analyzer_is_neither_a_spike_nor_stuck(
    make_device: MakeDevice, make_scan: MakeScan
) -> None:
    judge = Judge(make_device([PAST], rules=RULES), simulated=False)
    series = [(100.0, 0), (0.0, 2), (0.0, 2), (0.0, 2), (0.0, 2), (100.0, 0), (100.0, 0)]

    said = [
        int(judge.judge(make_scan([value], mono_ns=at * S, status=status)).readings.quality[0])
        for at, (value, status) in enumerate(series)
    ]

    assert said == [JUDGED | (ZERO_CHECK if status else 0) for _, status in series]


def test_channels_without_limits_are_only_asked_for_numbers(
    make_device: MakeDevice, make_scan: MakeScan
) -> None:
    judge = Judge(make_device([Limits()]), simulated=False)

    assert verdicts(judge, make_scan, [(0, 1e9), (1, -1e9), (2, -1e9), (900, -1e9)]) == [0] * 4


def test_a_device_without_channels_can_be_judged(
    make_device: MakeDevice, make_scan: MakeScan
) -> None:
    judgement = Judge(make_device([]), simulated=False).judge(make_scan([]))

    assert judgement.readings.quality.shape == (0,)
    assert not judgement.is_alarm


@pytest.mark.parametrize(
    ("scans", "alarms"),
    [
        pytest.param([(1, 0), (1, 0)], [0, 0], id="good stays good"),
        pytest.param([(1000, 0)], [1], id="bad from the first scan"),
        pytest.param([(1, 0), (1000, 0), (1000, 0)], [0, 1, 0], id="told once"),
        pytest.param([(1000, 0), (1, 0), (1000, 0)], [1, 0, 1], id="told again after it was good"),
        pytest.param([(1000, 0), (math.nan, 0)], [1, 0], id="bad, then worse"),
        pytest.param([(1, 0), (1, 1), (1, 0)], [0, 1, 0], id="the device says so"),
        pytest.param([(1, 0), (1, 2), (1, 0)], [0, 1, 1], id="a check begins and ends"),
        pytest.param([(1, 0), (1, 4), (1, 0)], [0, 0, 0], id="a maintenance request can wait"),
    ],
)
def test_an_alarm_is_a_channel_that_leaves_good_or_changes_its_phase(
    scans: list[tuple[float, int]],
    alarms: list[int],
    make_device: MakeDevice,
    make_scan: MakeScan,
) -> None:
    request = StatusRule(mask=4, value=4, quality=QualityClass.MAINTENANCE_REQUEST)
    judge = Judge(make_device([RANGE, RANGE], rules=(*RULES, request)), simulated=True)

    told = [
        judge.judge(make_scan([1.0, value], mono_ns=at * S, status=[0, status])).is_alarm
        for at, (value, status) in enumerate(scans)
    ]

    assert told == [bool(alarm) for alarm in alarms]


def test_a_channel_without_a_status_word_says_so(
    make_device: MakeDevice, make_scan: MakeScan
) -> None:
    device = make_device([RANGE, RANGE])
    silent = replace(device.channels[1], status_source=None)
    device = replace(device, channels=(device.channels[0], silent))
    quality = (
        Judge(device, simulated=False).judge(make_scan([1.0, 1.0], mono_ns=0)).readings.quality
    )
    assert quality.tolist() == [Reason.JUDGED, Reason.JUDGED | Reason.NO_FLAGS]
