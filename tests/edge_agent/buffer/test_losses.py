"""Which numbers of a chain are told as lost, with what is known of their readings and times."""

from pathlib import Path
from uuid import UUID

import pytest

from edge_agent.buffer.losses import MOST_EVENTS, Known, Loss, holes, losses
from edge_agent.buffer.retention import Span
from edge_agent.wire.frame import BatchFrame
from edge_agent.wire.header import Header
from tests.edge_agent.buffer.reopening import BATCHES, filled
from tests.edge_agent.buffer.salvage import UNREADABLE, started, waiting
from tests.edge_agent.buffer.salvage import losses as told_losses

CHAIN = UUID(int=7)
NOW_NS = 1_000


def span(first: int, last: int) -> Span:
    return Span(first=first, last=last)


def known(batch_no: int, *, readings: int = 10) -> Known:
    """Return what a header tells: every batch before it had ten readings, and took ten ns."""
    first_seq = 10 * batch_no
    return Known(
        batch_no=batch_no,
        first_seq=first_seq,
        next_seq=first_seq + readings,
        wall_ns=10 * batch_no + 10,
    )


@pytest.mark.parametrize(
    ("present", "last_no", "expected"),
    [
        ((), -1, ()),
        ((), 0, (span(0, 0),)),
        ((), 4, (span(0, 4),)),
        ((span(0, 4),), 4, ()),
        ((span(0, 9),), 4, ()),
        ((span(1, 4),), 4, (span(0, 0),)),
        ((span(0, 3),), 4, (span(4, 4),)),
        ((span(0, 1), span(3, 3)), 5, (span(2, 2), span(4, 5))),
        ((span(3, 5), span(0, 4)), 6, (span(6, 6),)),
        ((span(8, 9),), 4, (span(0, 4),)),
    ],
)
def test_holes_are_the_numbers_up_to_the_last_that_are_not_present(
    present: tuple[Span, ...], last_no: int, expected: tuple[Span, ...]
) -> None:
    assert holes(present, last_no) == expected


def test_too_many_holes_are_told_as_one() -> None:
    present = [span(2 * index + 1, 2 * index + 1) for index in range(MOST_EVENTS)]
    assert len(holes(present, 2 * MOST_EVENTS - 1)) == MOST_EVENTS
    assert holes(present, 2 * MOST_EVENTS) == (span(0, 2 * MOST_EVENTS),)


@pytest.mark.parametrize(
    ("numbers", "beside", "expected"),
    [
        pytest.param((3, 4), [known(2), known(5)], (30, 50, 30, 60), id="both sides known"),
        pytest.param((3, 4), [known(2), known(4), known(5)], (30, 50, 30, 50), id="and its end"),
        pytest.param((0, 2), [known(3)], (0, 30, 40, 40), id="nothing before"),
        pytest.param((3, 5), [known(2)], (30, 30, 30, NOW_NS), id="nothing behind"),
        pytest.param((3, 5), [known(2), known(4)], (30, 50, 30, NOW_NS), id="its middle"),
        pytest.param((0, 5), [], (0, 0, NOW_NS, NOW_NS), id="nothing at all"),
        pytest.param((3, 3), [known(2, readings=20), known(4)], (40, 40, 30, 50), id="no reading"),
    ],
)
def test_a_loss_is_bounded_by_what_headers_tell(
    numbers: tuple[int, int], beside: list[Known], expected: tuple[int, int, int, int]
) -> None:
    (loss,) = losses(CHAIN, [span(*numbers)], beside, now_ns=NOW_NS)
    first_seq, next_seq, from_ns, to_ns = expected
    assert loss == Loss(
        chain_id=CHAIN,
        numbers=span(*numbers),
        first_seq=first_seq,
        next_seq=next_seq,
        from_ns=from_ns,
        to_ns=to_ns,
    )
    assert loss.fields["last_seq"] == max(first_seq, next_seq - 1)
    assert loss.fields["readings"] == str(next_seq - first_seq)


def harm_body(file: Path, frame: BatchFrame) -> None:
    """Change one byte in the middle of a stored body."""
    content = bytearray(file.read_bytes())
    at = content.index(frame.signature) + 64
    content[at + 20] ^= 1
    file.write_bytes(content)


@pytest.mark.asyncio
async def test_a_damaged_batch_is_told_as_a_signed_loss(tmp_path: Path) -> None:
    gateway, frames = await filled(tmp_path)
    harm_body(gateway.path, frames[20])
    async with started(gateway) as (buffer, salvager):
        await salvager.once()
        told, end = told_losses(await waiting(buffer))
        assert salvager.status().lost_batches == 1
    lost, after = (Header.unpack(frames[number].header_bytes) for number in (20, BATCHES))
    assert dict(told.fields) | {"from_ns": "", "to_ns": ""} == {
        "chain": str(lost.chain_id),
        "first_batch": "20",
        "last_batch": "20",
        "first_seq": str(lost.first_seq),
        "last_seq": str(lost.next_seq - 1),
        "channels": [],
        "from_ns": "",
        "to_ns": "",
        "reason": "damaged storage",
        "readings": "20",
    }
    assert told.integer("from_ns") < lost.wall_ns == told.integer("to_ns")
    # Whether another followed the last one nobody can know.
    assert end.integer("first_batch") == after.batch_no + 1
    assert end.fields["readings"] == "0"
    assert end.integer("from_ns") == after.wall_ns


@pytest.mark.asyncio
async def test_nothing_is_told_behind_an_orderly_stop(tmp_path: Path) -> None:
    gateway, _ = await filled(tmp_path)
    async with gateway.opened() as buffer:
        await buffer.append(gateway.portion(1, is_last=True))
    UNREADABLE(gateway.path)
    async with started(gateway) as (buffer, salvager):
        await salvager.once()
        assert told_losses(await waiting(buffer)) == []
