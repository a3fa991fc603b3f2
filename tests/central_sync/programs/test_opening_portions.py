"""How batches are portioned for calculation."""

from hypothesis import given
from hypothesis import strategies as st

from central_sync.calc.clock_times import Setting
from central_sync.programs import opening
from central_sync.programs.channels import OpenedBatch
from edge_agent.wire.events import Event
from edge_agent.wire.vocabulary import Hash
from tests.central_sync.evaluate.signing_gateway import rows
from tests.central_sync.programs.one_hour import trusted_times


def batch_of(count: int) -> OpenedBatch:
    many = rows([(0, 1, 0)]).repeat(count)
    return OpenedBatch(
        batch_hash=Hash(bytes(32)),
        config_hash=Hash(bytes(32)),
        first_seq=0,
        is_clock_trusted=True,
        rows=many,
        times=trusted_times(many),
    )


def line(kind: str, **fields: int | str) -> bytes:
    return Event(type=kind, at_ns=70, mono_ns=10, fields=fields).line


def test_the_settings_of_a_clock_are_those_that_its_steps_tell() -> None:
    step: dict[str, int | str] = {"old_ns": 30, "new_ns": 70, "source": "ntp", "unc_ms": 12}
    assert opening.settings_told(
        [
            line("note", who="me", text="a clock_step"),
            line("note", who="me", text="clock_step"),
            line("clock_step", **step),
            line("clock_step", **step, old_unc_ms=5),
        ]
    ) == (
        Setting(offset_ns=20, error_ns=None),
        Setting(offset_ns=60, error_ns=12_000_000),
        Setting(offset_ns=20, error_ns=5_000_000),
        Setting(offset_ns=60, error_ns=12_000_000),
    )


@given(st.lists(st.sampled_from([0, 1, 30_000, 65_535, 65_536]), max_size=6))
def test_portions_keep_every_batch_in_order_and_stay_small(counts: list[int]) -> None:
    groups = list(opening.portions(map(batch_of, counts)))
    assert [len(one.rows) for group in groups for one in group] == counts
    for group in groups:
        assert sum(len(one.rows) for one in group[:-1]) < opening.CHUNK_ROWS
