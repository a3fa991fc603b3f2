"""What one transaction adds to the record: written many rows at a time, before anybody looks.

Whoever is given the connection finds everything written: no reader can see less than was added.
"""

import sqlite3
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, TypeAlias

from central_sync.proofs.entry import BatchEntry
from central_sync.store.admission import Candidate, Contents, Keep
from central_sync.store.embedded import holes, lines
from central_sync.store.embedded.clock_anchors import note_anchors
from central_sync.store.embedded.log_tree import Growth
from edge_agent.wire.header import Header
from edge_agent.wire.receipt import BatchPlace
from edge_agent.wire.vocabulary import Verdict

if TYPE_CHECKING:
    from uuid import UUID

Value: TypeAlias = bytes | int | None

PLAIN: Final = Keep(verdict=Verdict.ACCEPTED)


class Additions:
    """Batches, where they are found, what is logged of them, and what they do to heads and holes.

    Of a run of batches that only go on, each behind the one before, the last alone is asked what it
    does to the chain's head and to the hole above: what the others would do, it does again.
    """

    def __init__(self, connection: sqlite3.Connection, *, now_ns: int) -> None:
        self._connection = connection
        self._now_ns = now_ns
        self._growth = Growth(connection)
        self._last_id: int | None = None
        self._batches: list[tuple[Value, ...]] = []
        self._quarters: list[tuple[bytes, int, int]] = []
        self._clocks: list[tuple[Header, int]] = []
        self._configs: set[tuple[bytes, bytes, int]] = set()
        self._run: Candidate | None = None
        self._head: Candidate | None = None
        self._filling: list[tuple[Candidate, Keep]] = []
        self.last_headers: dict[UUID, bytes] = {}
        """Of each gateway the batch that became the head of its chain last."""

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection, once everything that was added is written."""
        self.write()
        return self._connection

    def expect(self, candidate: Candidate, *, is_plain: bool) -> None:
        """Write what waits, unless a batch is about to be added that goes on with its run."""
        if self._run is not None and not (is_plain and _is_behind(candidate, self._run)):
            self.write()
        self._run = candidate

    def entry(self, place: BatchPlace, verdict: Verdict) -> int:
        """Log that a batch is taken; return its place, for the receipt."""
        return self._growth.add(BatchEntry(place=place, received_ns=self._now_ns, verdict=verdict))

    def batch(
        self, candidate: Candidate, verdict: Verdict, receipt: bytes, contents: Contents
    ) -> int:
        """Add a batch that is new; return its row's id."""
        if self._last_id is None:
            (self._last_id,) = self._connection.execute(
                "select coalesce(max(id), 0) from batch"
            ).fetchone()
        self._last_id += 1
        header = candidate.header
        self._batches.append(
            (
                self._last_id,
                header.gateway_id.bytes,
                header.chain_id.bytes,
                header.batch_no,
                candidate.batch_hash,
                verdict,
                candidate.header_bytes,
                candidate.signature,
                receipt,
                self._now_ns,
                contents.at_min,
                contents.at_max,
                header.record_count,
                candidate.body_bytes,
            )
        )
        return self._last_id

    def index(self, header: Header, quarters: Iterable[int], batch_id: int) -> None:
        """Make a batch findable by time, its clock an anchor if trusted, and its bundle wanted."""
        gateway = header.gateway_id.bytes
        self._quarters += [(gateway, quarter, batch_id) for quarter in quarters]
        self._clocks.append((header, batch_id))
        self._configs.add((gateway, header.config_hash, self._now_ns))

    def on_main_line(self, candidate: Candidate) -> None:
        """Let a batch of the main line be the head of its chain, if it is."""
        self._head = candidate

    def fills(self, candidate: Candidate, decision: Keep) -> None:
        """Let a batch that goes on close the hole that ends with it, and shrink the one above."""
        self._filling.append((candidate, decision))

    def write(self) -> None:
        """Write all that was added since the last time."""
        if self._batches:
            self._connection.executemany(
                "insert into batch (id, gateway_id, chain_id, batch_no, batch_hash, verdict,"
                " header, signature, receipt, received_ns, at_min, at_max, record_count, body)"
                " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                self._batches,
            )
            self._batches = []
        if self._clocks:
            self._connection.executemany(
                "insert into batch_quarter (gateway_id, quarter, batch_id) values (?, ?, ?)",
                self._quarters,
            )
            note_anchors(self._connection, self._clocks)
            self._connection.executemany(
                "insert into gateway_config (gateway_id, config_hash, first_ns) values (?, ?, ?)"
                " on conflict do nothing",
                sorted(self._configs),
            )
            self._quarters, self._clocks, self._configs = [], [], set()
        self._growth.write()
        self._write_head()
        self._fill()

    def _write_head(self) -> None:
        candidate, self._head = self._head, None
        if candidate is not None and lines.became_head(
            self._connection, candidate, now_ns=self._now_ns
        ):
            self.last_headers[candidate.header.gateway_id] = candidate.header_bytes

    def _fill(self) -> None:
        """Let a run of batches fill holes: one by one only where a hole ends within it."""
        filling, self._filling = self._filling, []
        if not filling:
            return
        first, last = filling[0][0].header, filling[-1][0].header
        line = (first.gateway_id.bytes, first.chain_id.bytes)
        is_any_closed = holes.ends_within(self._connection, line, first.batch_no, last.batch_no)
        for candidate, decision in filling if is_any_closed else filling[-1:]:
            holes.update(self._connection, candidate, decision, lost=(), now_ns=self._now_ns)


def goes_on(candidate: Candidate, decision: Keep) -> bool:
    """Return whether a batch is kept for its readings alone: nothing is odd, lost or opened."""
    body = candidate.body
    return decision == PLAIN and isinstance(body, Contents) and not body.losses


def _is_behind(candidate: Candidate, other: Candidate) -> bool:
    """Return whether a batch has a higher number in the chain of another."""
    header, before = candidate.header, other.header
    return (header.gateway_id, header.chain_id) == (
        before.gateway_id,
        before.chain_id,
    ) and header.batch_no > before.batch_no
