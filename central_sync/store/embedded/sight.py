"""What is stored around one frame: the view on which the decision of `ingest.admit` rests."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, TypeAlias
from uuid import UUID

from central_sync.store.admission import Candidate, Contents, Known, Previous, Sight, Standing
from edge_agent.wire.header import Header
from edge_agent.wire.vocabulary import Hash, Verdict

# What SQLite can be asked for (docs/wire-format.md section 2: below 2^63).
LARGEST_BATCH_NO: Final = 2**63 - 1
# Numbers that are no further apart are read in one look: what is around them touches.
REACH: Final = 3

Place: TypeAlias = tuple[UUID, int]
"""A chain, and a number in it."""


class Sights:
    """What is stored around the candidates of one request: read once, then kept up to date.

    Whoever stores one of them says so; who moves others between lines lets all be read anew.
    """

    def __init__(
        self, connected: Callable[[], sqlite3.Connection], candidates: Sequence[Candidate]
    ) -> None:
        self._connected = connected
        self._candidates = candidates
        self._levels: dict[Place, list[Known]] | None = None
        self._heads: dict[UUID, int | None] = {}

    def around(self, candidate: Candidate) -> Sight:
        """Return what is stored around one of the candidates."""
        header = candidate.header
        number = header.batch_no
        lower = self._at(header.chain_id, number - 1)
        level = self._at(header.chain_id, number)
        if header.is_genesis:
            before, named = _named_by_genesis(self._connected, candidate)
        else:
            before, named = _found(lower, header.prev_batch_hash), header.chain_id
        others = [one for one in level if one.batch_hash != candidate.batch_hash]
        return Sight(
            same=_found(level, candidate.batch_hash),
            before=before,
            after=tuple(
                one
                for one in self._at(header.chain_id, number + 1)
                if one.header.prev_batch_hash == candidate.batch_hash
            ),
            beside=standing(others, lower) if others else (),
            main_before=next((one.batch_hash for one in lower if not one.is_branch), None),
            head_no=None if before is not None else self._head_no(header.gateway_id, named),
        )

    def has_above(self, candidate: Candidate) -> bool:
        """Return whether a batch is stored that comes next behind this number."""
        return bool(self._at(candidate.header.chain_id, candidate.header.batch_no + 1))

    def stored(self, candidate: Candidate, known: Known) -> None:
        """Note that a candidate was stored, or that its readings were put in its place."""
        level = self._level((candidate.header.chain_id, candidate.header.batch_no))
        for place, one in enumerate(level):
            if one.batch_hash == known.batch_hash:
                level[place] = known
                break
        else:
            level.append(known)
        self._heads.clear()

    def forget(self) -> None:
        """Let all be read anew: batches have moved from one line to another."""
        self._levels = None
        self._heads.clear()

    def _at(self, chain_id: UUID, number: int) -> Sequence[Known]:
        """Return the batches of one number, the one stored first first."""
        return self._read().get((chain_id, number), ())

    def _level(self, place: Place) -> list[Known]:
        return self._read().setdefault(place, [])

    def _read(self) -> dict[Place, list[Known]]:
        if self._levels is None:
            self._levels = {}
            for chain_id, first, last in _ranges(self._candidates):
                gateway_id = self._candidates[0].header.gateway_id
                for one in _known(self._connected(), gateway_id, chain_id, first, last):
                    self._levels.setdefault((chain_id, one.header.batch_no), []).append(one)
        return self._levels

    def _head_no(self, gateway_id: UUID, chain_id: UUID) -> int | None:
        if chain_id not in self._heads:
            self._heads[chain_id] = _head_no(self._connected(), gateway_id, chain_id)
        return self._heads[chain_id]


def _ranges(candidates: Sequence[Candidate]) -> Iterator[tuple[UUID, int, int]]:
    """Yield the numbers of each chain that are at, just below or just above a candidate's."""
    numbers: dict[UUID, list[int]] = {}
    for candidate in candidates:
        numbers.setdefault(candidate.header.chain_id, []).append(candidate.header.batch_no)
    for chain_id, found in numbers.items():
        found.sort()
        first = last = found[0]
        for number in found[1:]:
            if number > last + REACH:
                yield chain_id, first - 1, last + 1
                first = number
            last = number
        yield chain_id, first - 1, last + 1


def standing(level: Iterable[Known], lower: Iterable[Known]) -> tuple[Standing, ...]:
    """Return the batches of one number as the rule of the main line sees them.

    Args:
        level: batches of one number of a chain.
        lower: all that are stored one number lower.

    """
    stored = {one.batch_hash for one in lower}
    return tuple(
        Standing(
            batch_hash=one.batch_hash,
            prev_batch_hash=one.header.prev_batch_hash,
            is_behind=one.header.prev_batch_hash in stored,
        )
        for one in level
    )


def _found(among: Iterable[Known], batch_hash: Hash) -> Known | None:
    return next((one for one in among if one.batch_hash == batch_hash), None)


def _named_by_genesis(
    connected: Callable[[], sqlite3.Connection], candidate: Candidate
) -> tuple[Known | None, UUID]:
    """Return the stored batch that a genesis continues, and the chain it must be in."""
    header = candidate.header
    contents = candidate.body
    if not isinstance(contents, Contents) or contents.previous is None:
        return None, header.chain_id
    wanted = contents.previous
    number = wanted.batch_no
    found = _known(connected(), header.gateway_id, wanted.chain_id, number, number)
    return _found(found, wanted.batch_hash), wanted.chain_id


def _known(
    connection: sqlite3.Connection, gateway_id: UUID, chain_id: UUID, first: int, last: int
) -> list[Known]:
    """Return the stored batches of some numbers of a chain, the one stored first first."""
    rows = connection.execute(
        "select header, batch_hash, verdict, receipt,"
        " exists (select 1 from branch where batch_id = id) from batch"
        " where gateway_id = ? and chain_id = ? and batch_no between ? and ? order by id",
        (gateway_id.bytes, chain_id.bytes, first, min(last, LARGEST_BATCH_NO)),
    )
    return [
        Known(
            header=Header.unpack(raw),
            batch_hash=batch_hash,
            verdict=Verdict(verdict),
            receipt=receipt,
            is_branch=bool(is_branch),
        )
        for raw, batch_hash, verdict, receipt, is_branch in rows
    ]


def _head_no(connection: sqlite3.Connection, gateway_id: UUID, chain_id: UUID) -> int | None:
    row = connection.execute(
        "select head_no from chain where gateway_id = ? and chain_id = ?",
        (gateway_id.bytes, chain_id.bytes),
    ).fetchone()
    return None if row is None else int(row[0])


def head(connection: sqlite3.Connection, gateway_id: UUID, chain_id: UUID) -> Previous | None:
    """Return the head of a chain, or else of the gateway's chain that was written last."""
    row = connection.execute(
        "select chain_id, head_no, head_hash from chain where gateway_id = ?"
        " order by chain_id = ? desc, written_ns desc limit 1",
        (gateway_id.bytes, chain_id.bytes),
    ).fetchone()
    if row is None:
        return None
    return Previous(chain_id=UUID(bytes=row[0]), batch_no=row[1], batch_hash=Hash(row[2]))
