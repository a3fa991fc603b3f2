"""When the judge of damaged buffers is content with what was brought back."""

import pytest
from images import is_enough


@pytest.mark.parametrize(
    ("intact", "salvaged", "expected"),
    [
        (0, 0, True),
        (100, 98, True),  # of so few, two say nothing of a share
        (100, 89, False),
        (1_000, 990, True),
        (1_000, 989, False),
        (50_000, 49_500, True),
        (50_000, 49_499, False),
    ],
)
def test_a_share_is_one_over_a_thousand_at_least(
    intact: int, salvaged: int, *, expected: bool
) -> None:
    assert is_enough(intact, salvaged) is expected
