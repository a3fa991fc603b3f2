"""What one transaction adds at once is what its batches add one by one, in every table."""

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from central_sync.store.admission import Outcome, Submission
from edge_agent.wire.batch import Position, SignedBatch
from edge_agent.wire.events import Event
from edge_agent.wire.frame import FrameFlag
from edge_agent.wire.vocabulary import UNKNOWN_ERROR_MS, BatchFlag, ClockState, Verdict
from tests.central_sync.ingest.signed_chain import (
    LATER,
    NONE_BEFORE,
    PLAIN,
    TEN,
    S,
    SignedChain,
    framed,
    loss_of,
    named_loss_of,
    rows_at,
    uuid_of,
)
from tests.conformance.store.stores import Stored, embedded

# Numbers that say in which order transactions were written, and nothing else.
OF_THE_ORDER: Final = {"counter": ("value",), "dirty_quarter": ("generation",)}
STEP: Final = Event(
    type="clock_step",
    at_ns=TEN,
    mono_ns=0,
    fields={"old_ns": str(TEN - 5000 * S), "new_ns": str(TEN), "source": "ntp", "unc_ms": 5},
)
KINDS: Final = (
    *("plain", "plain", "plain", "plain", "untrusted", "step"),
    *("readings", "whole", "named", "unfit", "genesis"),
)


@dataclass
class Maker:
    """Makes the batches of a gateway that has had an eventful life."""

    chain: SignedChain = field(default_factory=SignedChain)
    made: list[SignedBatch] = field(default_factory=list)
    boot: int = 1

    def add(self, kind: str) -> None:
        """Make the next batch."""
        number = self.chain.position.batch_no
        if kind == "genesis" and self.made:
            self.chain = SignedChain(previous=self.made[-1])
            self.chain.position = Position.genesis(uuid_of(100 + len(self.made)))
            self.boot += 1
        if kind == "unfit" and number:
            self.made.append(self.chain.unfit())
            return
        place = len(self.made)
        events = self._losses(kind) if number else []
        events += [STEP] if kind == "step" else []
        rows = rows_at([TEN + place * 600 * S + offset * S for offset in range(3)])
        rows["mono"] = place * 600 * S
        self._sign(self.chain.batch(rows, events, moves=False), is_trusted=kind != "untrusted")

    def fork(self, place: int) -> SignedBatch:
        """Return another batch at the place of one that was made."""
        header = self.made[place].header
        other = SignedChain()
        other.position = Position(
            chain_id=header.chain_id,
            batch_no=header.batch_no,
            first_seq=header.first_seq,
            prev_batch_hash=header.prev_batch_hash,
        )
        return other.batch(rows_at([TEN + place * 600 * S + 7 * S]))

    def stone(self, place: int) -> SignedBatch:
        """Return the headstone of a batch that holds rows alone; any other as it is."""
        batch = self.made[place]
        rows = rows_at([TEN + place * 600 * S + offset * S for offset in range(3)])
        rows["mono"] = place * 600 * S
        try:
            return self.chain.headstone(rows, [], batch)
        except AssertionError:
            return batch

    def _losses(self, kind: str) -> list[Event]:
        """Return what a batch of this kind gives up: the readings of some, some, or one by name."""
        number = self.chain.position.batch_no
        if kind in {"readings", "whole"}:
            reason = "quota" if kind == "readings" else "damaged storage"
            return [loss_of(self.chain, max(0, number - 5), max(0, number - 2), reason)]
        return [named_loss_of(self.chain, self.made[-2])] if kind == "named" and number > 2 else []

    def _sign(self, batch: SignedBatch, *, is_trusted: bool) -> None:
        flags = batch.header.flags | (BatchFlag(0) if is_trusted else BatchFlag.CLOCK_UNTRUSTED)
        signed = self.chain.forged(
            batch,
            boot_count=self.boot,
            boot_id=uuid_of(50 + self.boot),
            mono_ns=len(self.made) * 600 * S,
            wall_unc_ms=5 if is_trusted else UNKNOWN_ERROR_MS,
            clock_state=ClockState.NTP if is_trusted else ClockState.UNSET,
            flags=flags,
        )
        self.made.append(signed)
        self.chain.position = Position.after(signed.header, signed.batch_hash)


@dataclass(frozen=True)
class Piece:
    """Some frames of a request: a run of the batches that were made, or what belongs to one."""

    kind: str
    first: int
    count: int
    flags: FrameFlag

    def frames(self, maker: Maker) -> list[bytes]:
        """Return them; the flags are those of the first."""
        first = self.first % len(maker.made)
        if self.kind == "fork":
            return [framed(maker.fork(first), self.flags)]
        if self.kind == "stone":
            stone = maker.stone(first)
            is_stone = stone is not maker.made[first]
            return [framed(stone, LATER | FrameFlag.HEADSTONE if is_stone else LATER)]
        run = maker.made[first : first + self.count]
        return [framed(run[0], self.flags), *(framed(batch) for batch in run[1:])]


PIECES: Final = st.builds(
    Piece,
    kind=st.sampled_from(["run", "run", "run", "fork", "stone"]),
    first=st.integers(0, 20),
    count=st.integers(1, 9),
    flags=st.sampled_from([PLAIN, PLAIN, LATER, NONE_BEFORE]),
)


def tables(folder: Path) -> dict[str, list[dict[str, object]]]:
    """Return every row of every table, but for numbers that only tell an order."""
    with closing(sqlite3.connect(folder / "centre.db")) as record:
        record.row_factory = sqlite3.Row
        names = [
            name
            for (name,) in record.execute("select name from sqlite_schema where type = 'table'")
        ]
        return {
            name: [
                {
                    column: row[column]
                    for column in row.keys()  # noqa: SIM118 - a Row is no mapping
                    if column not in OF_THE_ORDER.get(name, ())
                }
                for row in record.execute(f"select * from {name}")  # noqa: S608 - names of tables
            ]
            for name in names
        }


def one_by_one(stored: Stored, submission: Submission) -> list[Outcome]:
    """Take the candidates of a request each in a transaction of its own, up to a refusal."""
    outcomes: list[Outcome] = []
    for candidate in submission.candidates:
        alone = replace(submission, candidates=(candidate,), refusal=None)
        outcomes += stored.store.accept([alone])
        if outcomes[-1].refusal is not None:
            break
    return outcomes


@settings(max_examples=40, deadline=None)
@given(
    kinds=st.lists(st.sampled_from(KINDS), min_size=6, max_size=16),
    sent=st.lists(st.lists(PIECES, min_size=1, max_size=4), min_size=1, max_size=5),
)
def test_a_request_adds_what_its_batches_add_one_by_one(
    kinds: list[str], sent: list[list[Piece]]
) -> None:
    maker = Maker()
    for kind in ("plain", *kinds):
        maker.add(kind)
    with tempfile.TemporaryDirectory() as name:
        together, alone = (_opened(Path(name) / way) for way in ("together", "alone"))
        for pieces in sent:
            frames = [frame for piece in pieces for frame in piece.frames(maker)]
            submission = together.submission(maker.chain, *frames)
            (outcome,) = together.store.accept([submission])
            _compare(outcome, one_by_one(alone, submission))
        for stored in (together, alone):
            stored.store.close()
        found, expected = tables(together.folder), tables(alone.folder)
    # A doubt may be looked at again for nothing; none that must be may be left out.
    for row, other in zip(found["clock_doubt"], expected["clock_doubt"], strict=True):
        assert row["is_due"] in {1, other["is_due"]}
        row["is_due"] = other["is_due"]
    assert found == expected


def _opened(folder: Path) -> Stored:
    folder.mkdir()
    made = Stored(folder, embedded)
    made.register(SignedChain())
    return made


def _compare(outcome: Outcome, outcomes: list[Outcome]) -> None:
    """Compare the outcome of a request with those of its batches."""
    assert outcome.receipts == tuple(r for one in outcomes for r in one.receipts)
    assert outcome.verdicts == tuple(v for one in outcomes for v in one.verdicts)
    if outcomes:
        assert (outcome.refusal, outcome.wanted) == (outcomes[-1].refusal, outcomes[-1].wanted)
    if outcomes and outcome.refusal is None:
        assert outcome.head == outcomes[-1].head


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[Stored]:
    made = Stored(tmp_path, embedded)
    yield made
    made.store.close()


def test_a_hole_that_ends_within_a_request_is_closed(stored: Stored) -> None:
    chain = SignedChain()
    stored.register(chain)
    frames = [framed(batch) for batch in chain.batches(8)]
    stored.take(chain, frames[0])
    later = SignedChain()
    made = later.batches(6)
    assert stored.take(chain, framed(made[5], LATER)).wanted
    assert not stored.take(chain, *frames[1:]).wanted


def test_a_doubt_behind_the_last_anchor_of_a_request_is_looked_at_again(stored: Stored) -> None:
    maker = Maker()
    for kind in ("plain", "plain", "plain", "untrusted"):
        maker.add(kind)
    stored.register(maker.chain)
    frames = [framed(batch) for batch in maker.made]
    stored.take(maker.chain, framed(maker.made[3], LATER))
    assert stored.store.retime(10) == 0
    stored.take(maker.chain, *frames[:2])
    assert stored.store.retime(10) == 1


def test_every_chain_of_a_request_has_its_head(stored: Stored) -> None:
    first, second = SignedChain(), SignedChain()
    second.position = Position.genesis(uuid_of(30))
    stored.register(first)
    batches = [*first.batches(2), *second.batches(3)]
    for places in ((0, 2), (1, 3), (4,)):
        stored.take(first, *(framed(batches[place]) for place in places))
    heads = {head.chain_id: head.batch_hash for head in stored.store.heads(first.gateway_id)}
    assert heads == {one.header.chain_id: one.batch_hash for one in (batches[1], batches[4])}


def test_what_moved_to_the_main_line_is_there_for_the_next_frame(stored: Stored) -> None:
    chain, other = SignedChain(), SignedChain()
    stored.register(chain)
    line = chain.batches(4)
    other.position = Position.after(line[0].header, line[0].batch_hash)
    fork = [other.batch(rows_at([TEN + 7 * S])) for _ in range(2)]
    stored.take(chain, framed(line[0]), framed(fork[1], LATER), framed(line[2], LATER))
    outcome = stored.take(chain, framed(line[1]), framed(line[3]))
    assert outcome.verdicts == (Verdict.ACCEPTED, Verdict.ACCEPTED)
    assert outcome.head is not None
    assert outcome.head.batch_hash == line[3].batch_hash
