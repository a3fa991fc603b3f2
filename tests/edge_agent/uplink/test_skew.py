"""What one exchange shows of the difference between two clocks."""

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.uplink.skew import DATE_AGE_NS, LARGEST_NS, skew_ns

S = 1_000_000_000
TEN = 1_795_168_800 * S


def date(utc_ns: int) -> str:
    return formatdate(utc_ns // S, usegmt=True)


@given(
    ahead=st.integers(-100 * S, 100 * S),
    there=st.integers(0, 5 * S),
    back=st.integers(0, 5 * S),
    kept=st.integers(0, S),
    receipt=st.sampled_from(["none", "fresh", "old"]),
)
def test_nothing_is_told_that_is_not_so(
    ahead: int, there: int, back: int, kept: int, receipt: str
) -> None:
    centre_ns = TEN + there
    received = {"none": [], "fresh": [centre_ns], "old": [centre_ns - 3_600 * S]}[receipt]
    found = skew_ns(
        TEN + ahead, TEN + ahead + there + back, date=date(centre_ns - kept), received_ns=received
    )
    assert found is not None
    if found:
        assert abs(ahead) > LARGEST_NS
        assert (found > 0) == (ahead > 0)
        assert abs(found) <= abs(ahead)
    slack = there + back + (0 if receipt == "fresh" else DATE_AGE_NS)
    if abs(ahead) > LARGEST_NS + slack:
        assert found


def test_a_receipt_alone_shows_only_that_we_are_behind() -> None:
    assert skew_ns(TEN, TEN, date=None, received_ns=[TEN + 10 * S]) == -10 * S
    assert skew_ns(TEN, TEN, date=None, received_ns=[TEN - 10 * S]) == 0


@pytest.mark.parametrize("text", [None, "", "yesterday", "Sat, 99 Nov 99999999 00:00:00 GMT"])
def test_without_a_time_nothing_is_known(text: str | None) -> None:
    assert skew_ns(TEN, TEN, date=text, received_ns=[]) is None


def test_a_receipt_from_before_its_own_answer_is_no_contradiction() -> None:
    assert skew_ns(TEN, TEN + S, date=date(TEN), received_ns=[TEN + 60 * S]) == 0
