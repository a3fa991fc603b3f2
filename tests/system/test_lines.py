"""No answer that is late, cut, doubled or corrupted becomes a value, on any kind of line."""

import asyncio
import logging

import pytest

from tests.system.campaign import budgets
from tests.system.lines import KINDS, every_kind

COUNT = next(one.test for one in budgets() if one.name == "lines")


@pytest.fixture(autouse=True)
def quiet() -> None:
    """Keep what pymodbus says of every late answer out of the test's output."""
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)


def test_no_trick_of_any_line_becomes_a_value() -> None:
    report = asyncio.run(every_kind(1, COUNT))
    assert list(report) == list(KINDS)
    for kind in report.values():
        assert kind["wrong"] == 0
        assert kind["right"] > 0
