"""Which numbers of a chain are told as lost, with what is known of their readings and times."""

from pathlib import Path
from uuid import UUID

import pytest

from edge_agent.buffer.losses import MOST_EVENTS, Known, Loss, holes, losses
from edge_agent.buffer.missing import Missing, in_order
from edge_agent.buffer.receipted import Receipted, unsettled
from edge_agent.buffer.retention import Span
from edge_agent.wire.frame import BatchFrame
from edge_agent.wire.header import Header
from edge_agent.wire.receipt import BatchPlace, sign_receipt
from edge_agent.wire.vocabulary import NO_HASH, Verdict
from tests.edge_agent.buffer.gateway import CENTRE, GATEWAY, Gateway, Portion, receipts
from tests.edge_agent.buffer.reopening import BATCHES, filled, sql
from tests.edge_agent.buffer.salvage import MOST, UNREADABLE, destroy_header, started, waiting
from tests.edge_agent.buffer.salvage import losses as told_losses

CHAIN = UUID(int=7)
BEGIN_NS, NOW_NS = 5, 1_000


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
        pytest.param((0, 2), [known(3)], (0, 30, BEGIN_NS, 40), id="nothing before"),
        pytest.param((3, 5), [known(2)], (30, 30, 30, NOW_NS), id="nothing behind"),
        pytest.param((3, 5), [known(2), known(4)], (30, 50, 30, NOW_NS), id="its middle"),
        pytest.param((0, 5), [], (0, 0, BEGIN_NS, NOW_NS), id="nothing at all"),
        pytest.param((3, 3), [known(2, readings=20), known(4)], (40, 40, 30, 50), id="no reading"),
    ],
)
def test_a_loss_is_bounded_by_what_headers_tell(
    numbers: tuple[int, int], beside: list[Known], expected: tuple[int, int, int, int]
) -> None:
    (loss,) = losses(CHAIN, [span(*numbers)], beside, begin_ns=BEGIN_NS, now_ns=NOW_NS)
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


async def settled(folder: Path, *, received: int) -> tuple[Gateway, list[Header]]:
    """Return a gateway whose buffer is closed, with receipts for its first batches, and headers."""
    gateway = Gateway(folder)
    async with gateway.opened() as buffer:
        for _ in range(5):
            await buffer.append(gateway.portion(3))
        held = await buffer.unreceipted(MOST)
        headers = [Header.unpack(frame.header_bytes) for frame in await buffer.frames(held)]
        await buffer.settle(receipts(held[:received]))
    return gateway, headers


def destroy(file: Path, column: str, positions: range) -> None:
    """Let a column of some batches be zeros, in every copy, and the file's beginning noise."""
    sql(
        f"UPDATE sealed SET {column} = zeroblob(length({column}))"  # noqa: S608 - a test's own words
        f" WHERE position BETWEEN {positions[0]} AND {positions[-1]}"
    )(file)
    sql("VACUUM")(file)
    destroy_header(file)


@pytest.mark.asyncio
@pytest.mark.parametrize("left", [3, 0], ids=["older ones too", "no batch at all"])
async def test_an_end_that_only_a_receipt_tells_of_is_told_too(tmp_path: Path, left: int) -> None:
    gateway, headers = await settled(tmp_path, received=4)
    destroy(gateway.path, "header", range(left + 1, 8))
    async with started(gateway) as (buffer, salvager):
        await salvager.once()
        (end,) = told_losses(await waiting(buffer))
    assert end.integer("first_batch") == end.integer("last_batch") == 4
    assert end.integer("first_seq") == (headers[left - 1].next_seq if left else 0)
    assert end.integer("from_ns") == (headers[left - 1].wall_ns if left else 0)
    assert end.integer("from_ns") < headers[5].wall_ns < end.integer("to_ns")


@pytest.mark.asyncio
async def test_a_chain_of_which_only_headers_are_left_is_told(tmp_path: Path) -> None:
    gateway, headers = await settled(tmp_path, received=0)
    destroy(gateway.path, "body", range(1, 8))
    async with started(gateway) as (buffer, salvager):
        await salvager.once()
        assert salvager.status().lost_batches == 6
        told, end = told_losses(await waiting(buffer))
    assert [told.integer(name) for name in ("first_batch", "last_batch")] == [0, 5]
    assert [told.integer(name) for name in ("from_ns", "to_ns")] == [0, headers[5].wall_ns]
    assert end.integer("first_batch") == 6


@pytest.mark.asyncio
async def test_the_first_of_a_chain_were_not_taken_before_the_last_of_another(
    tmp_path: Path,
) -> None:
    gateway, _ = await settled(tmp_path, received=0)
    async with gateway.opened() as buffer:
        await buffer.begin_chain("fork")
        for _ in range(3):
            await buffer.append(gateway.portion(3))
        *_, before, _, _, newest = await buffer.unreceipted(MOST)
    destroy(gateway.path, "header", range(8, 10))
    async with started(gateway) as (buffer, salvager):
        await salvager.once()
        told = told_losses(await waiting(buffer))
    (first,) = [one for one in told if one.integer("first_batch") == 0]
    assert (first.fields["chain"], first.integer("last_batch")) == (str(newest.chain_id), 1)
    assert first.integer("from_ns") == before.wall_ns
    assert first.integer("to_ns") == newest.wall_ns


@pytest.mark.asyncio
async def test_a_chain_of_which_only_its_name_is_left_is_told(tmp_path: Path) -> None:
    gateway, headers = await settled(tmp_path, received=6)
    async with gateway.opened() as buffer:
        await buffer.settle(receipts(await buffer.unreceipted(MOST)))
        await buffer.begin_chain("fork")
        marks = tuple(bytes([mark]) * 16 for mark in range(200))
        for _ in range(3):
            await buffer.append(Portion(events=(gateway.note("a"),), marks=marks))
        (gone, *_) = await buffer.unreceipted(MOST)
    destroy(gateway.path, "header", range(8, 11))
    async with started(gateway) as (buffer, salvager):
        await salvager.once()
        each = told_losses(await waiting(buffer))
    # What no receipt leads to, no receipt says was the end.
    chains = [str(headers[0].chain_id), str(gone.chain_id)]
    assert sorted(str(one.fields["chain"]) for one in each) == sorted(chains)
    (told,) = [one for one in each if one.fields["chain"] == chains[1]]
    assert [told.integer(name) for name in ("first_batch", "last_batch", "from_ns")] == [0, 0, 0]
    assert told.integer("to_ns") > gone.wall_ns


def missing(chain: int, *numbers: int, is_named: bool = False) -> Missing:
    """Return a chain with these batches held; its end is at NOW_NS."""
    return Missing(
        chain_id=UUID(int=chain),
        present=tuple(span(number, number) for number in numbers),
        last_no=max(numbers, default=-1),
        known=tuple(map(known, numbers)),
        end_ns=NOW_NS,
        is_named=is_named,
        is_ended=False,
    )


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        pytest.param(missing(1, 8), known(6).wall_ns, id="behind another"),
        pytest.param(missing(1, 3), 0, id="before all others"),
        pytest.param(missing(1), 0, id="nobody knows when"),
        pytest.param(
            missing(1, is_named=True), known(6).wall_ns, id="just before one that names it"
        ),
    ],
)
def test_a_chain_began_after_the_newest_batch_known_before_it(one: Missing, expected: int) -> None:
    found = {each.chain_id: each for each in in_order([missing(2, 5, 6), one])}
    assert found[UUID(int=1)].begin_ns == expected


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        pytest.param([(1, 1, 0, 3), (2, 5, 0, 9)], [2], id="one ends where another begins"),
        pytest.param([(1, 1, 0, 3), (2, 6, 0, 9)], [1, 2], id="one batch between them"),
        pytest.param([(1, 1, 0, 1), (1, 1, 3, 3), (2, 5, 0, 9)], [1, 2], id="a hole"),
        pytest.param([(1, 1, 1, 3), (2, 5, 0, 9)], [1, 2], id="not the first"),
        pytest.param([(1, 1, 0, 2), (1, 1, 2, 3), (2, 5, 0, 9)], [2], id="found twice"),
        pytest.param([], [], id="no receipt"),
    ],
)
def test_a_chain_that_was_received_whole_needs_no_word(
    runs: list[tuple[int, int, int, int]], expected: list[int]
) -> None:
    place = BatchPlace(gateway_id=GATEWAY, chain_id=CHAIN, batch_no=0, batch_hash=NO_HASH)
    receipt = sign_receipt(CENTRE, place, verdict=Verdict.ACCEPTED, received_ns=1)
    found = [
        Receipted(
            chain_id=UUID(int=chain), start=start, first_no=first, last_no=last, receipt=receipt
        )
        for chain, start, first, last in runs
    ]
    assert unsettled(found) == tuple(UUID(int=chain) for chain in expected)


@pytest.mark.asyncio
async def test_nothing_is_told_behind_an_orderly_stop(tmp_path: Path) -> None:
    gateway, _ = await filled(tmp_path)
    async with gateway.opened() as buffer:
        await buffer.append(gateway.portion(1, is_last=True))
    UNREADABLE(gateway.path)
    async with started(gateway) as (buffer, salvager):
        await salvager.once()
        assert told_losses(await waiting(buffer)) == []
