"""One stored batch, checked from its bytes: header, signature, body, rows, events and root."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ewcheck import events as event_rules
from ewcheck import header as header_rules
from ewcheck import merkle, payload, rows
from ewcheck.faults import InvalidError

if TYPE_CHECKING:
    from ewcheck.events import Event
    from ewcheck.header import Header
    from ewcheck.rows import Row

Keys = Mapping[bytes, Ed25519PublicKey]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What the bytes of one batch say once every rule holds; a headstone has no rows."""

    header: Header
    rows: Sequence[Row]
    scan_count: int
    events: Sequence[Event]
    is_headstone: bool


def verified(raw_header: bytes, signature: bytes, body: bytes, keys: Keys) -> Batch:
    """Return the batch that these bytes are; InvalidError names the first rule they break."""
    header = header_rules.parsed(raw_header)
    header_rules.check_signature(raw_header, signature, keys, header.key_id)
    if body[:4] == payload.MAGIC:
        return _with_readings(header, body)
    return _headstone(header, body)


def _with_readings(header: Header, body: bytes) -> Batch:
    """Return the batch of a zstd body."""
    unpacked = payload.unpacked(body, header.payload_len, header.payload_sha256)
    readings, event_part = payload.parts(unpacked)
    decoded = rows.decoded(readings)
    if len(decoded) != header.record_count:
        raise InvalidError(f"count: {len(decoded)} rows, header says {header.record_count}")
    lines = event_rules.lines_of(event_part)
    happened = [event_rules.decoded(line) for line in lines]
    leaves = merkle.scan_leaves(decoded)
    if merkle.root([*leaves, *merkle.event_leaves(lines)]) != header.record_root:
        raise InvalidError("root: not that of the rows and events")
    event_rules.check_order(header, happened)
    return Batch(
        header=header, rows=decoded, scan_count=len(leaves), events=happened, is_headstone=False
    )


def _headstone(header: Header, body: bytes) -> Batch:
    """Return the batch of a headstone's body (wire-format section 9)."""
    if len(body) < 8:
        raise InvalidError("headstone: cut off")
    scan_count, hash_count = struct.unpack_from("<II", body)
    end = 8 + 32 * hash_count
    if not scan_count <= header.record_count or end > len(body):
        raise InvalidError("headstone: counts that cannot be")
    hashes = [body[at : at + 32] for at in range(8, end, 32)]
    lines = event_rules.lines_of(_announced(body[end:]))
    happened = [event_rules.decoded(line) for line in lines]
    if not scan_count + len(lines):
        raise InvalidError("headstone: neither a scan nor an event")
    folded = merkle.headstone_root(scan_count, hashes, merkle.event_leaves(lines))
    if folded != header.record_root:
        raise InvalidError("headstone: its hashes do not fold to the root")
    event_rules.check_order(header, happened)
    return Batch(header=header, rows=(), scan_count=0, events=happened, is_headstone=True)


def _announced(part: bytes) -> bytes:
    """Return the events part behind its length, which must be exactly the rest."""
    if len(part) < 4 or struct.unpack_from("<I", part)[0] != len(part) - 4:
        raise InvalidError("headstone: the events part is not the rest of the body")
    return part[4:]
