"""How long to wait: limits of the back-off, its jitter, and what Retry-After may ask for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.uplink.policy import LONGEST_S, SHORTEST_S, back_off_s, hold_s, retry_after_s

NOW_S = 1_800_000_000.0  # Fri, 15 Jan 2027 08:00:00 GMT
FRACTIONS = st.floats(0, 1, exclude_max=True)


@given(failures=st.integers(0, 10**9), fraction=FRACTIONS)
def test_a_wait_is_never_shorter_or_longer_than_the_limits(failures: int, fraction: float) -> None:
    assert SHORTEST_S <= back_off_s(failures, fraction=fraction) <= LONGEST_S


@given(failures=st.integers(1, 30), fraction=FRACTIONS)
def test_waits_grow_with_failures(failures: int, fraction: float) -> None:
    assert back_off_s(failures, fraction=fraction) <= back_off_s(failures + 1, fraction=fraction)


def test_the_upper_end_doubles_until_the_longest() -> None:
    ends = [back_off_s(failures, fraction=1.0) for failures in range(1, 12)]
    assert ends == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]


@given(fraction=FRACTIONS)
def test_a_hold_asks_again_within_minutes(fraction: float) -> None:
    assert LONGEST_S / 2 <= hold_s(fraction=fraction) <= LONGEST_S


@pytest.mark.parametrize(
    ("value", "expected_s"),
    [
        (None, 0),
        ("0", 0),
        ("7", 7),
        (" 7 ", 7),
        ("299", 299),
        ("301", LONGEST_S),
        ("9" * 5000, LONGEST_S),
        ("-7", 0),
        ("7.5", 0),
        ("\u0667", 0),
        ("soon", 0),
        ("", 0),
        ("Fri, 15 Jan 2027 08:01:00 GMT", 60),
        ("Fri, 15 Jan 2027 07:59:00 GMT", 0),
        ("Fri, 15 Jan 2027 09:00:00 GMT", LONGEST_S),
        ("Fri, 15 Jan 2027 08:01:00 +0000", 60),
        ("Fri, 99 Jan 99999999 08:01:00 GMT", 0),
    ],
)
def test_retry_after_is_respected_within_our_longest_wait(
    value: str | None, expected_s: float
) -> None:
    assert retry_after_s(value, utc_s=NOW_S) == expected_s


@given(value=st.text(max_size=60))
def test_any_retry_after_gives_a_wait(value: str) -> None:
    assert 0 <= retry_after_s(value, utc_s=NOW_S) <= LONGEST_S
