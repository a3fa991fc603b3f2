"""How the log grows and what its tree is found by, in SQLite; no word about what entries say.

Of the tree every fourth level is kept: an append writes little, and each hash of a proof reads at
most fifteen rows. `log_state` has one row: how many leaves there are, and the frontier.
"""

import sqlite3
from typing import Final

from central_sync.proofs.entry import Entry, FactEntry, leaf
from central_sync.proofs.tree import Frontier, NodeAt
from edge_agent.wire.merkle import root
from edge_agent.wire.vocabulary import HASH_SIZE, Hash

KEPT_LEVELS: Final = 4
"""The roots of subtrees of 16, 256, 4096 ... leaves are kept."""


class Growth:
    """Entries that are added in the caller's transaction, and written together.

    Nobody else may append, or read the log, between the first that is added and `write`.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._before: Frontier | None = None
        self._entries: list[Entry] = []

    def add(self, entry: Entry) -> int:
        """Add an entry; return its index."""
        if self._before is None:
            self._before = frontier(self._connection)
        self._entries.append(entry)
        return self._before.size + len(self._entries) - 1

    def write(self) -> None:
        """Write what was added, if anything was."""
        if self._before is None:
            return
        before, entries = self._before, self._entries
        self._before, self._entries = None, []
        packed = [entry.pack() for entry in entries]
        grown, nodes = before.grown(leaf(one) for one in packed)
        self._connection.executemany(
            "insert into log_entry (id, is_fact, entry) values (?, ?, ?)",
            [
                (index, isinstance(entry, FactEntry), one)
                for index, (entry, one) in enumerate(zip(entries, packed, strict=True), before.size)
            ],
        )
        self._connection.executemany(
            "insert into log_node (level, place, root) values (?, ?, ?)",
            [
                (node.level, node.place, node.root)
                for node in nodes
                if node.level % KEPT_LEVELS == 0
            ],
        )
        self._connection.execute(
            "insert into log_state (id, size, peaks) values (0, ?, ?)"
            " on conflict (id) do update set size = excluded.size, peaks = excluded.peaks",
            (grown.size, b"".join(grown.peaks)),
        )


def append(connection: sqlite3.Connection, entry: Entry) -> int:
    """Append an entry in the caller's transaction; return its index."""
    growth = Growth(connection)
    index = growth.add(entry)
    growth.write()
    return index


def frontier(connection: sqlite3.Connection) -> Frontier:
    """Return the tree as far as growing needs it."""
    row = connection.execute("select size, peaks from log_state where id = 0").fetchone()
    if row is None:
        return Frontier()
    size, peaks = row
    return Frontier(
        size, tuple(Hash(peaks[at : at + HASH_SIZE]) for at in range(0, len(peaks), HASH_SIZE))
    )


def require_size(connection: sqlite3.Connection, size: int) -> None:
    """Raise ValueError where the log has fewer entries."""
    held = frontier(connection).size
    if not 0 <= size <= held:
        raise ValueError(f"the log has {held} entries, not {size}")


def node_at(connection: sqlite3.Connection) -> NodeAt:
    """Return how the roots of complete subtrees are found: kept ones, and what they make."""

    def found(level: int, place: int) -> Hash:
        kept = level - level % KEPT_LEVELS
        first, end = place << level - kept, place + 1 << level - kept
        if kept:
            rows = connection.execute(
                "select root from log_node where level = ? and place >= ? and place < ?"
                " order by place",
                (kept, first, end),
            )
            return root([Hash(one) for (one,) in rows])
        rows = connection.execute(
            "select entry from log_entry where id >= ? and id < ? order by id", (first, end)
        )
        return root([leaf(one) for (one,) in rows])

    return found
