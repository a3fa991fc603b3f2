"""What is receipted, waits, or may go, against its definition on sets."""

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.buffer.retention import (
    Run,
    Span,
    forgettable,
    is_receipted,
    newest_positions,
    oldest_positions,
    waiting,
    with_receipts,
)

RECEIPT_BYTES = 185
HEAD = 20

positions = st.lists(st.integers(1, HEAD), max_size=30)
starts = st.sets(st.integers(2, HEAD), max_size=3).map(lambda chosen: {1, *chosen})


def receipt(position: int) -> bytes:
    """Return bytes that tell the receipts apart."""
    return bytes([position]) * RECEIPT_BYTES


def runs_of(order: list[int], chain_starts: set[int], step: int) -> tuple[Run, ...]:
    """Return the runs after receipts in this order, so many at a time."""
    runs: tuple[Run, ...] = ()
    for first in range(0, len(order), step):
        part = [(position, receipt(position)) for position in order[first : first + step]]
        runs = with_receipts(runs, part, chain_starts)
    return runs


def members(spans: list[Span]) -> list[int]:
    """Return the positions of spans."""
    return [position for span in spans for position in range(span.first, span.last + 1)]


@given(order=positions, chain_starts=starts, step=st.integers(1, 5))
def test_runs_hold_exactly_the_receipted_positions_whatever_the_order(
    order: list[int], chain_starts: set[int], step: int
) -> None:
    runs = runs_of(order, chain_starts, step)
    for position in range(1, HEAD + 1):
        assert is_receipted(runs, position) == (position in order)


@given(order=positions, chain_starts=starts, step=st.integers(1, 5))
def test_runs_are_as_long_as_they_can_be_within_a_chain_and_keep_the_newest_receipt(
    order: list[int], chain_starts: set[int], step: int
) -> None:
    runs = runs_of(order, chain_starts, step)
    for run in runs:
        assert run.receipt == receipt(run.last)
        assert not any(start in chain_starts for start in range(run.first + 1, run.last + 1))
        assert run.first in chain_starts or run.first - 1 not in order
    assert list(runs) == sorted(runs, key=lambda run: run.first)


@given(order=positions, chain_starts=starts)
def test_waiting_is_everything_up_to_the_head_without_a_receipt(
    order: list[int], chain_starts: set[int]
) -> None:
    runs = runs_of(order, chain_starts, 3)
    expected = [position for position in range(1, HEAD + 1) if position not in order]
    assert members(list(waiting(runs, HEAD))) == expected


@given(order=positions, chain_starts=starts)
def test_forgettable_is_everything_with_a_receipt_but_the_head_oldest_first(
    order: list[int], chain_starts: set[int]
) -> None:
    runs = runs_of(order, chain_starts, 3)
    assert members(list(forgettable(runs, HEAD))) == sorted(set(order) - {HEAD})


@given(order=positions, limit=st.integers(0, HEAD))
def test_oldest_and_newest_are_the_two_ends_of_what_waits(order: list[int], limit: int) -> None:
    spans = list(waiting(runs_of(order, {1}, 3), HEAD))
    every = members(spans)
    assert oldest_positions(spans, limit) == every[:limit]
    assert newest_positions(spans, limit) == every[len(every) - min(limit, len(every)) :]


def test_each_field_of_a_run_is_under_its_hash() -> None:
    run = Run(first=1, last=3, receipt=receipt(3))
    others = [
        Run(first=2, last=3, receipt=receipt(3)),
        Run(first=1, last=4, receipt=receipt(3)),
        Run(first=1, last=3, receipt=receipt(4)),
    ]
    assert run.sha256 not in {other.sha256 for other in others}
