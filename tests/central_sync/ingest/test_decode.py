"""What a body turns out to be, and which check says so first."""

from dataclasses import replace
from hashlib import sha256
from typing import Final

import pytest

from central_sync.ingest.decode import QUARTERS, QUARTERS_AT_MOST, body_of, kept_body
from central_sync.ingest.decoder_answer import packed, unpacked
from central_sync.store.admission import Contents, Damaged, Loss, LostBatch, Previous, Unfit
from edge_agent.wire.arrow import arrow_stream
from edge_agent.wire.batch import record_root
from edge_agent.wire.compression import compress, decompress, stored
from edge_agent.wire.events import Event
from edge_agent.wire.frame import FrameFlag
from edge_agent.wire.payload import join
from edge_agent.wire.refusal import Code
from edge_agent.wire.vocabulary import Hash
from tests.central_sync.ingest.signed_chain import (
    PLAIN,
    TEN,
    S,
    SignedChain,
    loss_of,
    named_loss_of,
    rows_at,
    uuid_of,
)

QUARTER: Final = 900 * S
NOTE = Event(type="note", at_ns=TEN, mono_ns=0, fields={"who": "me", "text": "cleaned"})


@pytest.fixture
def chain() -> SignedChain:
    chain = SignedChain()
    chain.batch()
    return chain


def test_contents_span_the_times_of_the_rows(chain: SignedChain) -> None:
    batch = chain.batch(rows_at([TEN + 5, TEN - 1, TEN + QUARTER]))
    body = body_of(batch.header, batch.body, PLAIN)
    assert isinstance(body, Contents)
    assert (body.at_min, body.at_max) == (TEN - 1, TEN + QUARTER)
    first = TEN // QUARTER
    assert body.quarters == (first - 1, first, first + 1)


@pytest.mark.parametrize(
    ("at_ns", "quarters"),
    [
        (0, (0,)),
        (-1, ()),
        (-(2**63), ()),
        (QUARTERS.stop * QUARTER - 1, (QUARTERS.stop - 1,)),
        (QUARTERS.stop * QUARTER, ()),
        (2**63 - 1, ()),
    ],
)
def test_a_time_that_can_be_no_hour_of_64_bits_is_a_stray(
    chain: SignedChain, at_ns: int, quarters: tuple[int, ...]
) -> None:
    batch = chain.batch(rows_at([at_ns]))
    body = body_of(batch.header, batch.body, PLAIN)
    assert isinstance(body, Contents)
    assert (body.quarters, body.has_strays) == (quarters, not quarters)


def test_times_all_over_the_years_make_at_most_a_week_due_the_one_around_the_clock(
    chain: SignedChain,
) -> None:
    half = QUARTERS_AT_MOST // 2
    far = [TEN + count * QUARTER for count in range(-half - 5, half + 5)]
    batch = chain.batch(rows_at([0, *far]))
    body = body_of(batch.header, batch.body, PLAIN)
    assert isinstance(body, Contents)
    assert len(body.quarters) == QUARTERS_AT_MOST
    assert body.quarters[0] == TEN // QUARTER - half
    assert body.has_strays


def test_a_batch_of_events_alone_spans_no_time(chain: SignedChain) -> None:
    batch = chain.batch(rows_at([]), [NOTE])
    assert body_of(batch.header, batch.body, PLAIN) == Contents(
        at_min=None, at_max=None, quarters=(), previous=None, losses=()
    )


def test_losses_are_told(chain: SignedChain) -> None:
    batch = chain.batch(rows_at([TEN]), [NOTE, loss_of(chain, 3, 5)])
    body = body_of(batch.header, batch.body, PLAIN)
    assert isinstance(body, Contents)
    assert body.losses == (Loss(chain_id=uuid_of(2), first_batch=3, last_batch=5),)


def test_a_loss_of_one_batch_by_name_and_one_that_leaves_headstones_are_told_apart(
    chain: SignedChain,
) -> None:
    lost = chain.batch()
    named, stones = named_loss_of(chain, lost), loss_of(chain, 3, 5, "disk_full")
    batch = chain.batch(rows_at([TEN]), [named, stones])
    body = body_of(batch.header, batch.body, PLAIN)
    assert isinstance(body, Contents)
    names = LostBatch(batch_hash=lost.batch_hash, prev_batch_hash=lost.header.prev_batch_hash)
    number = lost.header.batch_no
    assert [(one.first_batch, one.named, one.leaves_headstones) for one in body.losses] == [
        (number, names, False),
        (3, None, True),
    ]
    assert unpacked(packed([body]), 1) == [body]


@pytest.mark.parametrize(
    "fields",
    [
        {"batch_hash": "00"},
        {"batch_hash": None},
        {"prev_batch_hash": 7},
        {"first_batch": "0"},
    ],
)
def test_a_name_that_is_none_is_no_name(
    chain: SignedChain, fields: dict[str, str | int | None]
) -> None:
    lost = chain.batches(2)[1]
    told = named_loss_of(chain, lost)
    event = replace(told, fields={**told.fields, **fields})
    batch = chain.batch(rows_at([TEN]), [event])
    body = body_of(batch.header, batch.body, PLAIN)
    assert isinstance(body, Contents)
    assert [one.named for one in body.losses] == [None]


def test_a_genesis_tells_what_it_continues(chain: SignedChain) -> None:
    last = chain.batch()
    batch = SignedChain(previous=last).batch()
    body = body_of(batch.header, batch.body, PLAIN)
    assert isinstance(body, Contents)
    assert body.previous == Previous(
        chain_id=last.header.chain_id, batch_no=1, batch_hash=last.batch_hash
    )


def test_a_first_genesis_continues_nothing() -> None:
    batch = SignedChain().batch()
    body = body_of(batch.header, batch.body, PLAIN)
    assert isinstance(body, Contents)
    assert body.previous is None


def test_a_headstone_tells_its_losses_but_no_times(chain: SignedChain) -> None:
    rows = rows_at([TEN, TEN + 1])
    loss = loss_of(chain, 0, 0)
    batch = chain.batch(rows, [loss])
    stone = chain.headstone(rows, [loss.line], batch)
    body = body_of(stone.header, stone.body, FrameFlag.HEADSTONE)
    assert body == Contents(
        at_min=None,
        at_max=None,
        quarters=(),
        previous=None,
        losses=(Loss(chain_id=uuid_of(2), first_batch=0, last_batch=0),),
    )


def test_a_body_of_other_bytes_is_damaged(chain: SignedChain) -> None:
    batch = chain.batch()
    other = chain.batch(rows_at([TEN + 99]))
    cases = {
        b"": Code.ZSTD,
        batch.body[:-1]: Code.ZSTD,
        batch.body + b"\0": Code.ZSTD,
        compress(bytes(batch.header.payload_len)): Code.PAYLOAD,
        other.body: Code.PAYLOAD,
    }
    for body, code in cases.items():
        found = body_of(batch.header, body, PLAIN)
        assert isinstance(found, Damaged)
        assert found.code is code


def test_a_headstone_that_does_not_fold_is_damaged(chain: SignedChain) -> None:
    batch = chain.batch()
    found = body_of(batch.header, batch.body, FrameFlag.HEADSTONE)
    assert isinstance(found, Damaged)
    assert found.code is Code.HEADSTONE


UNFIT = {
    "parts that do not add up": (b"\1\0\0\0" * 3, Code.PARTS),
    "neither rows nor events": (bytes(9), Code.PARTS),
    "no Arrow stream": (join(b"readings", []), Code.ARROW),
    "an event that is no JSON": (join(b"", [b"{"]), Code.EVENT),
    "an event that is not canonical": (join(b"", [b'{"b":1,"a":1}']), Code.EVENT),
    "other rows than the root covers": (join(arrow_stream(rows_at([TEN + 1])), []), Code.ROOT),
    "more rows than were counted": (join(arrow_stream(rows_at([TEN, TEN])), []), Code.COUNT),
}


@pytest.mark.parametrize(("payload", "code"), UNFIT.values(), ids=UNFIT.keys())
def test_signed_content_that_breaks_the_format_is_unfit(
    chain: SignedChain, payload: bytes, code: Code
) -> None:
    batch = chain.with_payload(chain.batch(), payload)
    assert batch.header.payload_sha256 == Hash(sha256(payload).digest())
    found = body_of(batch.header, batch.body, PLAIN)
    assert isinstance(found, Unfit)
    assert found.code is code


def test_events_that_break_their_rules_are_unfit(chain: SignedChain) -> None:
    good = chain.batch(rows_at([]), [NOTE], moves=False)
    for event in (
        Event(type="continue", at_ns=1, mono_ns=1, fields={"reason": "enrol", "previous": None}),
        Event(type="note", at_ns=1, mono_ns=1, fields={"who": "me"}),
        loss_of(chain, 0, 0),
    ):
        root = record_root(rows_at([]), [event.line])
        batch = chain.with_payload(good, join(b"", [event.line]), record_root=root)
        found = body_of(batch.header, batch.body, PLAIN)
        assert isinstance(found, Unfit)
        assert found.code is Code.EVENT


def test_rows_out_of_order_are_unfit(chain: SignedChain) -> None:
    rows = rows_at([TEN, TEN + 1])
    for name, values in {
        "scan": [1, 1, 2, 2],
        "channel": [2, 1, 1, 2],
    }.items():
        bad = rows.copy()
        bad[name] = values
        batch = chain.with_payload(chain.batch(moves=False), join(arrow_stream(bad), []))
        found = body_of(batch.header, batch.body, PLAIN)
        assert isinstance(found, Unfit)
        assert found.code is Code.SCANS


def test_a_payload_that_came_uncompressed_is_kept_compressed(chain: SignedChain) -> None:
    batch = chain.batch(rows_at([TEN + second * S for second in range(60)]))
    plain = stored(decompress(batch.body, batch.header.payload_len))
    kept = kept_body(batch.header, plain)
    assert len(kept) < len(plain) / 4
    assert body_of(batch.header, kept, PLAIN) == body_of(batch.header, batch.body, PLAIN)


def test_a_compressed_payload_is_kept_as_it_came(chain: SignedChain) -> None:
    batch = chain.batch(rows_at([TEN]))
    assert kept_body(batch.header, batch.body) is batch.body
