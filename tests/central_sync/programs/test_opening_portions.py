"""How batches are portioned for calculation."""

from hypothesis import given
from hypothesis import strategies as st

from central_sync.programs import opening
from central_sync.programs.channels import OpenedBatch
from edge_agent.wire.vocabulary import Hash
from tests.central_sync.evaluate.signing_gateway import rows


def batch_of(count: int) -> OpenedBatch:
    return OpenedBatch(
        batch_hash=Hash(bytes(32)),
        config_hash=Hash(bytes(32)),
        first_seq=0,
        is_clock_trusted=True,
        rows=rows([(0, 1, 0)]).repeat(count),
    )


@given(st.lists(st.sampled_from([0, 1, 30_000, 65_535, 65_536]), max_size=6))
def test_portions_keep_every_batch_in_order_and_stay_small(counts: list[int]) -> None:
    groups = list(opening.portions(map(batch_of, counts)))
    assert [len(one.rows) for group in groups for one in group] == counts
    for group in groups:
        assert sum(len(one.rows) for one in group[:-1]) < opening.CHUNK_ROWS
