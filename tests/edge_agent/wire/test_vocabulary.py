"""The numbers that are signed, and taking a quality word apart."""

import numpy as np
import pytest

from edge_agent.wire.refusal import Code, RefusedError
from edge_agent.wire.vocabulary import (
    NO_VALUE,
    BatchFlag,
    ClockState,
    Phase,
    QualityClass,
    Reason,
    Verdict,
    has_value,
    phase,
    quality_class,
)


def test_a_refusal_says_its_code_and_why() -> None:
    refusal = RefusedError(Code.HEADER, "header_len is 311, must be 312")
    assert refusal.code is Code.HEADER
    assert str(refusal) == "header: header_len is 311, must be 312"


def test_the_codes_stand_in_the_order_of_the_checks() -> None:
    assert [code.value for code in Code] == [
        *("frame", "header", "key", "signature", "chain", "zstd", "payload", "headstone"),
        *("parts", "arrow", "schema", "scans", "event", "count", "root"),
    ]


def test_signed_numbers_have_not_moved() -> None:
    assert [state.value for state in ClockState] == [0, 1, 2, 3, 4, 5]
    assert [flag.value for flag in BatchFlag] == [1, 2, 4, 8]
    assert [verdict.value for verdict in Verdict] == [0, 1, 2, 3]
    assert [phase.value for phase in Phase] == [0, 1, 2, 3, 4, 5, 6, 7, 15]
    assert [reason.value.bit_length() - 1 for reason in Reason] == [*range(8, 26), 31]


@pytest.mark.parametrize(
    ("word", "its_class", "its_phase", "has"),
    [
        (0, QualityClass.GOOD, Phase.MEASURING, True),
        (4, QualityClass.FAILURE, Phase.MEASURING, True),
        (5, QualityClass.FAILURE, Phase.MEASURING, True),
        (7, QualityClass.FAILURE, Phase.MEASURING, True),
        (NO_VALUE | 4, QualityClass.FAILURE, Phase.MEASURING, False),
        (3 | 2 << 4, QualityClass.FUNCTION_CHECK, Phase.SPAN_CHECK, True),
        (15 << 4 | Reason.JUDGED, QualityClass.GOOD, Phase.UNKNOWN, True),
        (0xFFFFFFFF, QualityClass.FAILURE, Phase.UNKNOWN, False),
    ],
)
def test_a_quality_word_comes_apart(
    word: int, its_class: QualityClass, its_phase: Phase, *, has: bool
) -> None:
    words = np.array([word, word], dtype=np.uint32)
    assert quality_class(words).tolist() == [its_class] * 2
    assert phase(words).tolist() == [its_phase] * 2
    assert has_value(words).tolist() == [has] * 2
