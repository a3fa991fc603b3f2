"""What one gateway may send in a minute."""

from hypothesis import given
from hypothesis import strategies as st

from central_sync.config import Limits
from central_sync.ingest.allowance import Allowances
from tests.central_sync.ingest.signed_chain import uuid_of

ONE, OTHER = uuid_of(1), uuid_of(2)
MIB = 1024 * 1024
LIMITS = Limits(requests_per_minute=6, bytes_per_minute=60 * MIB)


class Stopwatch:
    """A clock that a test moves."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_a_minutes_worth_goes_at_once_and_then_one_at_a_time() -> None:
    clock = Stopwatch()
    allowances = Allowances(LIMITS, clock)
    for _ in range(6):
        assert allowances.wait_s(ONE) == 0
        allowances.spent(ONE, 1)
    assert allowances.wait_s(ONE) == 10
    assert allowances.wait_s(OTHER) == 0
    clock.now_s += 9.5
    assert allowances.wait_s(ONE) == 1
    clock.now_s += 0.5
    assert allowances.wait_s(ONE) == 0


def test_what_was_sent_beyond_the_bytes_is_owed() -> None:
    clock = Stopwatch()
    allowances = Allowances(LIMITS, clock)
    allowances.spent(ONE, 70 * MIB)
    assert allowances.wait_s(ONE) == 10
    clock.now_s += 10
    assert allowances.wait_s(ONE) == 0


def test_what_is_not_used_does_not_add_up_beyond_a_minute() -> None:
    clock = Stopwatch()
    allowances = Allowances(LIMITS, clock)
    allowances.spent(ONE, 0)
    clock.now_s += 86_400
    for _ in range(6):
        allowances.spent(ONE, 0)
    assert allowances.wait_s(ONE) == 10


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(0, 8 * MIB)), max_size=60))
def test_never_more_than_two_minutes_worth_comes_in_one_minute(
    tries: list[tuple[float, int]],
) -> None:
    clock = Stopwatch()
    allowances = Allowances(LIMITS, clock)
    taken: list[tuple[float, int]] = []
    for pause_s, size in tries:
        clock.now_s += pause_s
        if allowances.wait_s(ONE) == 0:
            allowances.spent(ONE, size)
            taken.append((clock.now_s, size))
    for start_s, _ in taken:
        within = [size for at_s, size in taken if start_s <= at_s < start_s + 60]
        assert len(within) <= 2 * LIMITS.requests_per_minute
        assert sum(within) <= 2 * LIMITS.bytes_per_minute + 8 * MIB
