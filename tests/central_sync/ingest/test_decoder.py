"""Bodies read in a process of their own: what it answers, and what its death costs."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from central_sync.ingest.committer import OverloadedError
from central_sync.ingest.decode import body_of
from central_sync.ingest.decoder import Asked, Decoders, read_here
from central_sync.ingest.decoder_answer import GarbledAnswerError, packed, unpacked
from central_sync.store.admission import Contents, Unfit, Unread
from edge_agent.wire.batch import SignedBatch
from edge_agent.wire.frame import FrameFlag
from edge_agent.wire.payload import join
from edge_agent.wire.readings import MAX_ROWS
from edge_agent.wire.refusal import Code
from tests.central_sync.ingest import bad_decoder
from tests.central_sync.ingest.signed_chain import (
    PLAIN,
    TEN,
    SignedChain,
    loss_of,
    rows_at,
    uuid_of,
)

BAD = (str(Path(bad_decoder.__file__)),)


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    with Decoders() as started:
        yield started


@pytest.fixture
def chain() -> SignedChain:
    return SignedChain()


def asked_of(batch: SignedBatch) -> Asked:
    return Asked(batch.header, batch.body, PLAIN)


def bodies(chain: SignedChain) -> list[tuple[SignedBatch, FrameFlag]]:
    """Return a batch of every kind: good, damaged, unfit, a headstone, the largest."""
    genesis = chain.batch()
    rows, loss = rows_at([TEN, TEN + 1]), loss_of(chain, 0, 0)
    lost = chain.batch(rows, [loss])
    largest = chain.batch(rows_at(range(TEN, TEN + MAX_ROWS), channels=1))
    return [
        (genesis, PLAIN),
        (lost, PLAIN),
        (chain.headstone(rows, [loss.line], lost), FrameFlag.HEADSTONE),
        (SignedChain(previous=lost).batch(), PLAIN),
        (replace(genesis, body=lost.body), PLAIN),
        (replace(genesis, body=b""), PLAIN),
        (chain.unfit(), PLAIN),
        (chain.with_payload(genesis, join(b"readings", [])), PLAIN),
        (largest, PLAIN),
    ]


def test_a_process_says_what_the_reader_says(decoders: Decoders, chain: SignedChain) -> None:
    for batch, flags in bodies(chain):
        asked = Asked(batch.header, batch.body, flags)
        assert decoders([asked]) == read_here([asked])
    together = [Asked(batch.header, batch.body, flags) for batch, flags in bodies(chain)]
    assert decoders(together) == read_here(together)
    assert decoders([]) == []


def test_what_a_body_is_goes_over_the_line_and_back(chain: SignedChain) -> None:
    for batch, flags in bodies(chain):
        found = body_of(batch.header, batch.body, flags)
        assert unpacked(packed([found, found]), 2) == [found, found]
    with pytest.raises(TypeError):
        packed([Unread()])


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"{",
        b"[]",
        b"7",
        b'["unread",{}]',
        b'["contents",{}]',
        b'["contents",7]',
        b'["damaged",{"code":"no such","detail":""}]',
        json.dumps(["unfit", {"code": "arrow", "detail": "", "more": 1}]).encode(),
        b'["contents",{"at_min":null,"at_max":null,"quarters":"x","previous":null,"losses":[]}]',
    ],
)
def test_nonsense_is_no_answer(answer: bytes) -> None:
    with pytest.raises(GarbledAnswerError):
        unpacked(b"[" + answer + b"]" if answer.startswith(b"[") else answer, 1)


@pytest.mark.parametrize(
    ("number", "why"),
    [
        (bad_decoder.CRASHES, "by SIGSEGV"),
        (bad_decoder.HANGS, "took too long"),
        (bad_decoder.EATS, "bytes of memory"),
        (bad_decoder.BABBLES, "answered nonsense"),
        (bad_decoder.EXITS, "with 3"),
    ],
)
def test_a_body_that_ends_its_decoder_is_unfit_and_the_next_one_is_read(
    chain: SignedChain, number: int, why: str
) -> None:
    good, *_, poison = chain.batches(number + 1)
    with Decoders(1, BAD) as decoders:
        before, found, behind = decoders([asked_of(good), asked_of(poison), asked_of(good)])
    assert isinstance(before, Contents)
    assert isinstance(behind, Contents)
    assert isinstance(found, Unfit)
    assert found.code is Code.ARROW
    assert why in found.detail


def test_a_decoder_that_is_ended_from_outside_condemns_nothing(chain: SignedChain) -> None:
    batch = chain.batches(bad_decoder.IS_KILLED + 1)[-1]
    with Decoders(1, BAD) as decoders, pytest.raises(OverloadedError, match="from outside"):
        decoders([asked_of(batch)])


@pytest.mark.parametrize("program", [("-c", "raise SystemExit(1)"), ("-c", "print(1)")])
def test_decoders_that_do_not_begin_condemn_nothing(
    chain: SignedChain, program: tuple[str, ...]
) -> None:
    batch = chain.batch()
    with Decoders(1, program) as decoders, pytest.raises(OverloadedError, match="before it began"):
        decoders([asked_of(batch)])


def test_one_gateway_that_hangs_does_not_hold_up_another(chain: SignedChain) -> None:
    other = SignedChain(gateway_id=uuid_of(9))
    hanging, good = chain.batches(bad_decoder.HANGS + 1)[-1], other.batch()
    with Decoders(2, BAD) as decoders, ThreadPoolExecutor(5) as threads:
        stuck = [threads.submit(decoders, [asked_of(hanging)]) for _ in range(2)]
        (found,) = threads.submit(decoders, [asked_of(good)]).result()
        assert isinstance(found, Contents)
        assert not stuck[1].done()
        assert all(isinstance(one.result()[0], Unfit) for one in stuck)
