"""Headstones: what is left of a batch whose readings were given up, and still proves its root.

Header, signature and events stay; the scans shrink to the roots of their largest subtrees
(docs/wire-format.md section 9).
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from edge_agent.wire.header import Header
from edge_agent.wire.merkle import event_leaf, fold_headstone, scan_leaves, scan_subtrees
from edge_agent.wire.payload import join_events, split_events
from edge_agent.wire.readings import RowArray
from edge_agent.wire.refusal import Code, RefusedError
from edge_agent.wire.vocabulary import HASH_SIZE, Hash

_COUNTS: Final = struct.Struct("<II")
_LENGTH: Final = struct.Struct("<I")


@dataclass(frozen=True, slots=True, kw_only=True)
class Headstone:
    """The body of a headstone, taken apart.

    Attributes:
        scan_count: how many scans were given up.
        hashes: roots of the largest subtrees that hold only scans, left to right.
        event_lines: the events of the batch, without 0x0A.

    """

    scan_count: int
    hashes: tuple[Hash, ...]
    event_lines: tuple[bytes, ...]

    def pack(self) -> bytes:
        """Return the body: scan_count, hash_count, hashes, events part."""
        events = join_events(self.event_lines)
        counts = _COUNTS.pack(self.scan_count, len(self.hashes))
        return b"".join((counts, *self.hashes, _LENGTH.pack(len(events)), events))

    @classmethod
    def unpack(cls, body: bytes) -> Self:
        """Return the headstone in a body.

        Raises:
            RefusedError: HEADSTONE: lengths do not add up, or the events are not lines.

        """
        if len(body) < _COUNTS.size:
            raise RefusedError(Code.HEADSTONE, f"{len(body)} bytes are too short")
        scan_count, hash_count = _COUNTS.unpack_from(body)
        hashes_end = _COUNTS.size + hash_count * HASH_SIZE
        events_at = hashes_end + _LENGTH.size
        if len(body) < events_at:
            raise RefusedError(Code.HEADSTONE, f"{len(body)} bytes for {hash_count} hashes")
        (events_length,) = _LENGTH.unpack_from(body, hashes_end)
        if len(body) != events_at + events_length:
            raise RefusedError(Code.HEADSTONE, f"{len(body) - events_at} bytes of events")
        try:
            lines = split_events(body[events_at:])
        except RefusedError as error:
            raise RefusedError(Code.HEADSTONE, error.detail) from error
        hashes = tuple(
            Hash(body[start : start + HASH_SIZE])
            for start in range(_COUNTS.size, hashes_end, HASH_SIZE)
        )
        return cls(scan_count=scan_count, hashes=hashes, event_lines=lines)


def make_headstone(rows: RowArray, event_lines: Sequence[bytes]) -> Headstone:
    """Return what stays of a batch when its rows are given up."""
    scans = scan_leaves(rows)
    events = [event_leaf(line) for line in event_lines]
    return Headstone(
        scan_count=len(scans),
        hashes=tuple(scan_subtrees(scans + events, len(scans))),
        event_lines=tuple(event_lines),
    )


def open_headstone(header: Header, body: bytes) -> Headstone:
    """Return the headstone in a body that its signed header vouches for.

    Raises:
        RefusedError: HEADSTONE: malformed, or it does not fold to record_root.

    """
    headstone = Headstone.unpack(body)
    scans, rows = headstone.scan_count, header.record_count
    if scans > rows or (scans == 0) != (rows == 0):
        raise RefusedError(Code.HEADSTONE, f"{scans} scans cannot be of {rows} rows")
    events = [event_leaf(line) for line in headstone.event_lines]
    if fold_headstone(headstone.scan_count, headstone.hashes, events) != header.record_root:
        raise RefusedError(Code.HEADSTONE, "does not fold to record_root")
    return headstone
