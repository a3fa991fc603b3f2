"""Quality words put together, and what status words say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.config.device import StatusRule
from edge_agent.quality.words import combined, marked, status_quality
from edge_agent.wire.vocabulary import (
    Phase,
    QualityClass,
    Reason,
    UInt32Array,
    phase,
    quality_class,
)

WORDS = st.builds(
    lambda worst, step, rest: int(worst) | int(step) << 4 | rest & 0xFFFF_FF08,
    st.sampled_from(QualityClass),
    st.sampled_from(Phase),
    st.integers(0, 2**32 - 1),
)
FAILURE = StatusRule(mask=1, value=1, quality=QualityClass.FAILURE | Reason.DEVICE_FAULT)
REQUEST = StatusRule(mask=2, value=2, quality=QualityClass.MAINTENANCE_REQUEST)
GOOD = StatusRule(mask=0xF0, value=0, quality=0)
ZERO = StatusRule(
    mask=0xF0, value=0x10, quality=QualityClass.FUNCTION_CHECK | Phase.ZERO_CHECK << 4
)
OTHER = StatusRule(
    mask=0xF0,
    value=0,
    quality=QualityClass.FUNCTION_CHECK | Phase.UNKNOWN << 4,
    is_otherwise=True,
)
RULES = (FAILURE, REQUEST, GOOD, ZERO, OTHER)


def words(*values: int) -> UInt32Array:
    """Return an array of quality words."""
    return np.array(values, dtype=np.uint32)


@given(first=WORDS, second=WORDS)
def test_the_worst_class_and_every_reason_of_two_verdicts_stay(first: int, second: int) -> None:
    one = combined(words(first), words(second))

    assert quality_class(one)[0] == max(first & 7, second & 7)
    assert phase(one)[0] == max(first >> 4 & 15, second >> 4 & 15)
    assert int(one[0]) & 0xFFFF_FF08 == (first | second) & 0xFFFF_FF08


@given(first=WORDS, second=WORDS, third=WORDS)
def test_the_order_of_verdicts_does_not_matter(first: int, second: int, third: int) -> None:
    a, b, c = words(first), words(second), words(third)

    assert combined(a, b) == combined(b, a)
    assert combined(combined(a, b), c) == combined(a, combined(b, c))
    assert combined(a, a) == a


@given(word=WORDS, worst=st.sampled_from(QualityClass), reason=st.sampled_from(Reason))
def test_a_mark_is_a_verdict_where_the_mask_is_set(
    word: int, worst: QualityClass, reason: Reason
) -> None:
    before = words(word, word)
    after = marked(before, np.array([True, False]), worst, reason)

    assert after.tolist() == [combined(words(word), words(worst | reason))[0], word]
    assert before.tolist() == [word, word]


@pytest.mark.parametrize(
    ("status", "quality"),
    [
        pytest.param(0b00, 0, id="nothing is set"),
        pytest.param(0b01, FAILURE.quality, id="a bit"),
        pytest.param(0b11, FAILURE.quality, id="the worse of two bits"),
        pytest.param(0b10, REQUEST.quality, id="the lesser alone"),
        pytest.param(0x10, ZERO.quality, id="a number"),
        pytest.param(
            0x11, FAILURE.quality | Phase.ZERO_CHECK << 4, id="the phase survives the failure"
        ),
        pytest.param(0x70, OTHER.quality, id="a number that nobody named"),
        pytest.param(0x72, OTHER.quality, id="the same beside a bit"),
        pytest.param(0x1000, 0, id="a bit that nobody named"),
    ],
)
def test_a_status_word_says_what_its_rules_say(status: int, quality: int) -> None:
    assert status_quality(status, RULES) == quality
    assert status_quality(status, RULES[::-1]) == quality


def test_without_rules_a_status_word_says_nothing() -> None:
    assert status_quality(0xFFFF_FFFF, ()) == 0
