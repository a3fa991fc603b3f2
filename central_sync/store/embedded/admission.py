"""The accept transaction in SQLite: look around, ask for the decision, store, note what follows.

Nothing here decides. Numbers of rows touched per batch are small and fixed, except while a hole
is open.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final
from uuid import UUID

from central_sync.store.admission import (
    Admit,
    Candidate,
    Contents,
    Keep,
    Outcome,
    Refuse,
    Repeat,
    Sight,
    Sign,
    Submission,
    Warned,
)
from central_sync.store.embedded import alarms, clocks, holes, keys, lines, log
from central_sync.store.embedded.database import Database
from central_sync.store.embedded.ledger import mark_quarters
from central_sync.store.embedded.record import missing_bundles
from central_sync.store.embedded.sight import head, sight
from central_sync.store.lines import fork_alarm
from central_sync.store.port import NowNs
from edge_agent.wire.receipt import BatchPlace
from edge_agent.wire.vocabulary import Hash, Verdict

NOTHING: Final = Contents(at_min=None, at_max=None, quarters=(), previous=None, losses=())
WITH_READINGS: Final = frozenset({Verdict.ACCEPTED, Verdict.BRANCH})


class Admissions:
    """Takes submissions in; several in one transaction."""

    _db: Database
    _admit: Admit
    _sign: Sign
    _now_ns: NowNs

    def sight(self, submission: Submission) -> tuple[Sight, ...]:
        """Return what is stored around each frame of a submission, for checks before `accept`."""
        with self._db.read() as connection:
            return tuple(sight(connection, candidate) for candidate in submission.candidates)

    def accept(self, group: Sequence[Submission]) -> list[Outcome]:
        """Admit submissions in one transaction; on return all that has a receipt is durable."""
        with self._db.write() as connection:
            transaction = _Accepting(
                connection=connection, admit=self._admit, sign=self._sign, now_ns=self._now_ns()
            )
            outcomes = [transaction.submission(submission) for submission in group]
            transaction.finish()
        return outcomes


@dataclass(slots=True)
class _Tally:
    """What one transaction adds to the state of one gateway."""

    batches: int = 0
    records: int = 0
    quarantined: int = 0
    last_data_ns: int | None = None
    last_header: bytes | None = None


@dataclass(slots=True, kw_only=True)
class _Accepting:
    connection: sqlite3.Connection
    admit: Admit
    sign: Sign
    now_ns: int
    tallies: dict[UUID, _Tally] = field(default_factory=dict)
    dirty: set[tuple[bytes, int]] = field(default_factory=set)
    configs: set[tuple[bytes, Hash]] = field(default_factory=set)

    def submission(self, submission: Submission) -> Outcome:
        """Take in the frames of one request until one is not stored."""
        gateway_id = submission.gateway_id
        alarms.keep_rejected(self.connection, submission, now_ns=self.now_ns)
        if gateway_id not in self.tallies:
            holes.note_silence(self.connection, gateway_id, now_ns=self.now_ns)
        for presented in submission.presented:
            holes.note_receipt(self.connection, gateway_id, presented, now_ns=self.now_ns)
        if not submission.candidates:
            return Outcome(refusal=submission.refusal)
        self.tallies.setdefault(gateway_id, _Tally())
        receipts: list[bytes] = []
        verdicts: list[Verdict] = []
        readings = 0
        refusal = submission.refusal
        has_holes = holes.any_of(self.connection, gateway_id)
        for candidate in submission.candidates:
            decision = self.admit(candidate, sight(self.connection, candidate))
            if isinstance(decision, Refuse):
                refusal = decision.refusal
                self._alarm(gateway_id, decision)
                break
            if isinstance(decision, Repeat):
                receipts.append(decision.receipt)
                continue
            receipts.append(self._store(candidate, decision))
            verdicts.append(decision.verdict)
            readings += candidate.header.record_count * (decision.verdict in WITH_READINGS)
            has_holes = self._follow(candidate, decision, has_holes=has_holes)
        outcome = Outcome(
            receipts=tuple(receipts),
            refusal=refusal,
            verdicts=tuple(verdicts),
            new_readings=readings,
        )
        return self._with_wishes(outcome, submission, has_holes=has_holes)

    def finish(self) -> None:
        """Write what is counted once per transaction: dirty quarters and gateway states."""
        if self.dirty:
            mark_quarters(self.connection, self.dirty)
        self.connection.executemany(
            "insert into gateway_state (gateway_id, last_seen_ns, last_data_ns, batch_count,"
            " record_count, quarantined_count, last_header) values (?, ?, ?, ?, ?, ?, ?)"
            " on conflict (gateway_id) do update set last_seen_ns = excluded.last_seen_ns,"
            " last_data_ns = max(coalesce(last_data_ns, excluded.last_data_ns),"
            " coalesce(excluded.last_data_ns, last_data_ns)),"
            " batch_count = batch_count + excluded.batch_count,"
            " record_count = record_count + excluded.record_count,"
            " quarantined_count = quarantined_count + excluded.quarantined_count,"
            " last_header = coalesce(excluded.last_header, last_header)",
            [
                (
                    gateway_id.bytes,
                    self.now_ns,
                    tally.last_data_ns,
                    tally.batches,
                    tally.records,
                    tally.quarantined,
                    tally.last_header,
                )
                for gateway_id, tally in self.tallies.items()
            ],
        )

    def _store(self, candidate: Candidate, decision: Keep) -> bytes:
        """Write one batch and what is found through it; return its receipt."""
        place = BatchPlace.of(candidate.header, candidate.batch_hash)
        index = log.note_batch(self.connection, place, decision.verdict, now_ns=self.now_ns)
        receipt = self.sign(place, decision.verdict, self.now_ns, index)
        # What a quarantined batch says of itself is not believed.
        is_read = decision.verdict is not Verdict.QUARANTINED
        contents = candidate.body if is_read and isinstance(candidate.body, Contents) else NOTHING
        write = self._complete if decision.completes else self._insert
        batch_id = write(candidate, decision.verdict, receipt, contents)
        if not decision.completes:
            self._place(candidate, batch_id, is_branch=decision.is_branch)
        if is_read:
            self._index(candidate, contents, batch_id, is_branch=decision.is_branch)
        self._count(candidate, decision, contents.at_max)
        return receipt

    def _insert(
        self, candidate: Candidate, verdict: Verdict, receipt: bytes, contents: Contents
    ) -> int:
        """Write a batch that is new; return its row's id."""
        header = candidate.header
        (batch_id,) = self.connection.execute(
            "insert into batch (gateway_id, chain_id, batch_no, batch_hash, verdict, header,"
            " signature, receipt, received_ns, at_min, at_max, record_count, body)"
            " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) returning id",
            (
                header.gateway_id.bytes,
                header.chain_id.bytes,
                header.batch_no,
                candidate.batch_hash,
                verdict,
                candidate.header_bytes,
                candidate.signature,
                receipt,
                self.now_ns,
                contents.at_min,
                contents.at_max,
                header.record_count,
                candidate.body_bytes,
            ),
        ).fetchone()
        return int(batch_id)

    def _place(self, candidate: Candidate, batch_id: int, *, is_branch: bool) -> None:
        """Put a new batch on its line; those above it may move to another."""
        header = candidate.header
        if is_branch:
            lines.note_branch(self.connection, batch_id)
        elif lines.became_head(self.connection, candidate, now_ns=self.now_ns):
            self.tallies[header.gateway_id].last_header = candidate.header_bytes
        gateway = header.gateway_id.bytes
        for moved in lines.moved_by(self.connection, header):
            clocks.look_again(self.connection, header.gateway_id)
            self.dirty.update((gateway, quarter) for quarter in moved.quarters)
            if moved.is_branch:
                self._raise(header.gateway_id, fork_alarm(header.chain_id, moved.batch_no))

    def _complete(
        self, candidate: Candidate, verdict: Verdict, receipt: bytes, contents: Contents
    ) -> int:
        """Put the readings of a stored headstone in its place; return its row's id."""
        header = candidate.header
        (batch_id,) = self.connection.execute(
            "update batch set verdict = ?, body = ?, receipt = ?, received_ns = ?, at_min = ?,"
            " at_max = ? where gateway_id = ? and chain_id = ? and batch_no = ? and batch_hash = ?"
            " returning id",
            (
                verdict,
                candidate.body_bytes,
                receipt,
                self.now_ns,
                contents.at_min,
                contents.at_max,
                header.gateway_id.bytes,
                header.chain_id.bytes,
                header.batch_no,
                candidate.batch_hash,
            ),
        ).fetchone()
        return int(batch_id)

    def _index(
        self, candidate: Candidate, contents: Contents, batch_id: int, *, is_branch: bool
    ) -> None:
        """Make a batch findable by time, and its hours due if it is on the main line."""
        gateway_id = candidate.header.gateway_id
        gateway = gateway_id.bytes
        self.connection.executemany(
            "insert into batch_quarter (gateway_id, quarter, batch_id) values (?, ?, ?)",
            [(gateway, quarter, batch_id) for quarter in contents.quarters],
        )
        more = clocks.note(self.connection, candidate.header, contents, batch_id, self.now_ns)
        if not is_branch:
            self.dirty.update((gateway, quarter) for quarter in {*contents.quarters, *more})
        if contents.rotation is not None:
            keys.follow(self.connection, gateway_id, contents.rotation, now_ns=self.now_ns)
        config = (gateway, candidate.header.config_hash)
        if config not in self.configs:
            self.configs.add(config)
            self.connection.execute(
                "insert into gateway_config (gateway_id, config_hash, first_ns) values (?, ?, ?)"
                " on conflict do nothing",
                (*config, self.now_ns),
            )

    def _count(self, candidate: Candidate, decision: Keep, at_max: int | None) -> None:
        tally = self.tallies[candidate.header.gateway_id]
        if not decision.completes:
            tally.batches += 1
        if decision.verdict in WITH_READINGS:
            tally.records += candidate.header.record_count
        if decision.verdict is Verdict.QUARANTINED:
            tally.quarantined += 1
        if at_max is not None and not decision.is_branch:
            # A clock that runs ahead must not hide that nothing comes any more.
            newest_ns = min(at_max, self.now_ns)
            tally.last_data_ns = max(newest_ns, tally.last_data_ns or newest_ns)

    def _follow(self, candidate: Candidate, decision: Keep, *, has_holes: bool) -> bool:
        """Note alarms, holes and losses; return whether the gateway may have holes now."""
        gateway_id = candidate.header.gateway_id
        self._alarm(gateway_id, decision)
        contents = candidate.body
        losses = contents.losses if isinstance(contents, Contents) else ()
        if decision.verdict is Verdict.QUARANTINED:
            losses = ()
        opened = decision.hole
        if not (has_holes or opened or losses or decision.verdict is Verdict.HEADSTONE):
            return False
        holes.update(self.connection, candidate, decision, lost=losses, now_ns=self.now_ns)
        return True

    def _alarm(self, gateway_id: UUID, decision: Keep | Refuse) -> None:
        for warned in decision.alarms:
            self._raise(gateway_id, warned)

    def _raise(self, gateway_id: UUID, warned: Warned) -> None:
        alarms.raise_alarm(self.connection, warned, gateway_id=gateway_id, now_ns=self.now_ns)

    def _with_wishes(self, outcome: Outcome, submission: Submission, *, has_holes: bool) -> Outcome:
        """Return an outcome with what every answer tells: head, wanted batches and bundles."""
        gateway_id = submission.gateway_id
        if has_holes:
            holes.warn_overdue(self.connection, gateway_id, now_ns=self.now_ns)
        return replace(
            outcome,
            head=head(self.connection, gateway_id, submission.candidates[-1].header.chain_id),
            wanted=holes.wanted(self.connection, gateway_id) if has_holes else (),
            wanted_bundles=missing_bundles(self.connection, gateway_id),
        )
