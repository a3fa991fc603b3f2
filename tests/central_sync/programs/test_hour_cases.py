"""Every folder of tests/cases/calc: one hour, and what Part 75 makes of it."""

import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from central_sync.calc.clock_hours import MINUTES
from central_sync.calc.hourly import hourly
from central_sync.calc.minutes import NO_LIMIT, Points, tally
from central_sync.calc.rounding import rounded_text
from central_sync.programs.part75 import is_valid

CASES = Path(__file__).parents[2] / "cases" / "calc"
RESOLUTION = Fraction(1, 100)
SECOND_NS = 1_000_000_000


def folders() -> list[Path]:
    return sorted(one for one in CASES.iterdir() if one.is_dir())


def whole(number: Fraction) -> int:
    assert number.denominator == 1
    return number.numerator


@pytest.mark.parametrize("folder", folders(), ids=lambda folder: folder.name)
def test_the_hour_is_judged_and_rounded_as_the_case_says(folder: Path) -> None:
    given = json.loads((folder / "input.json").read_text())
    expected = json.loads((folder / "expected.json").read_text())
    readings = [
        (whole(Fraction(second) * SECOND_NS), whole(Fraction(value) / RESOLUTION))
        for second, value in given["readings"]
    ]
    checks = [(whole(Fraction(second) * SECOND_NS), 0) for second in given["checks"]]
    rows = readings + checks
    usable = [True] * len(readings) + [False] * len(checks)
    points = Points(
        cell=np.zeros(len(rows), np.int64),
        offset_ns=np.array([offset for offset, _ in rows], np.int64),
        integer=np.array([integer for _, integer in rows], np.int64),
        is_usable=np.array(usable, np.bool_),
        is_check=~np.array(usable, np.bool_),
    )
    operating = np.zeros((1, MINUTES), np.bool_)
    for first, end in given["operating"]:
        operating[0, first:end] = True
    hours = hourly(tally(points, np.array([NO_LIMIT])), operating)
    assert bool(is_valid(hours)[0]) is expected["valid"]
    if expected["valid"]:
        mean = int(hours.total[0]) * RESOLUTION / int(hours.used.sum())
        assert rounded_text(mean, Decimal(given["quantum"])) == expected["value"]


def test_every_case_names_its_source() -> None:
    assert len(folders()) >= 20
    for folder in folders():
        assert json.loads((folder / "input.json").read_text())["source"], folder.name
