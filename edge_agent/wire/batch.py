"""A batch: rows and events sealed under one signature, and a body opened against its header.

Sealing happens inside the transaction that makes the batch durable, on values it is given; opening
stops before Arrow, which is for the reader's own library.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Self
from uuid import UUID

from edge_agent.wire.arrow import arrow_stream
from edge_agent.wire.canonical import JsonValue, parse_canonical
from edge_agent.wire.compression import compress, decompress
from edge_agent.wire.events import CONFIG_APPLIED, LOSS, Event, check_events, parse_event
from edge_agent.wire.header import Header, batch_hash
from edge_agent.wire.merkle import event_leaf, root, scan_leaves
from edge_agent.wire.payload import Parts, join, split
from edge_agent.wire.readings import RowArray, check_scans
from edge_agent.wire.refusal import Code, RefusedError
from edge_agent.wire.signing import BATCH_CONTEXT, SigningKey, VerifyingKey
from edge_agent.wire.vocabulary import NO_HASH, UNKNOWN_ERROR_MS, BatchFlag, ClockState, Hash


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedBatch:
    """A batch as it is stored and sent: its header, signed, and the compressed payload."""

    header: Header
    header_bytes: bytes
    signature: bytes
    body: bytes

    @property
    def batch_hash(self) -> Hash:
        """The name of this batch, for ever."""
        return batch_hash(self.header_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """All clock fields of a header, of the moment it is built.

    Attributes:
        boot_count: boots counted by this buffer.
        boot_id: the kernel's random boot id.
        mono_ns: CLOCK_BOOTTIME ns.
        wall_ns: UTC ns.
        wall_unc_ms: estimated error of wall_ns, ms; UNKNOWN_ERROR_MS = not known.
        clock_state: where wall_ns comes from.

    """

    boot_count: int
    boot_id: UUID
    mono_ns: int
    wall_ns: int
    wall_unc_ms: int
    clock_state: ClockState


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where the next batch stands."""

    chain_id: UUID
    batch_no: int
    first_seq: int
    prev_batch_hash: Hash

    @classmethod
    def genesis(cls, chain_id: UUID) -> Self:
        """Return the first place of a new chain."""
        return cls(chain_id=chain_id, batch_no=0, first_seq=0, prev_batch_hash=NO_HASH)

    @classmethod
    def after(cls, header: Header, batch_hash: Hash) -> Self:
        """Return the place behind the batch with this header and hash."""
        return cls(
            chain_id=header.chain_id,
            batch_no=header.batch_no + 1,
            first_seq=header.next_seq,
            prev_batch_hash=batch_hash,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Who seals: gateway, configuration, software and key, the same for every batch of a run.

    `confirmations` are what technicians stand for in the configuration, as fields of events: they
    are told where the configuration is first named. `earlier` are keys that signed before this one.
    """

    gateway_id: UUID
    config_hash: Hash
    software_hash: Hash
    key: SigningKey
    confirmations: tuple[Mapping[str, JsonValue], ...] = ()
    earlier: tuple[VerifyingKey, ...] = ()

    @property
    def verifying_keys(self) -> Mapping[Hash, VerifyingKey]:
        """By key id, every key whose signature counts."""
        present = self.key.verifying_key
        return {one.key_id: one for one in (*self.earlier, present)}


def seal(
    rows: RowArray,
    event_lines: Sequence[bytes],
    *,
    position: Position,
    stamp: Stamp,
    origin: Origin,
    flags: BatchFlag,
) -> SignedBatch:
    """Return rows and events as one signed batch.

    Args:
        rows: dtype ROW; shape (n,), scans numbered from 0.
        event_lines: canonical JSON of each event, without 0x0A.
        position: where it stands in the chain.
        stamp: the clocks, now.
        origin: who signs.
        flags: what only the caller knows (last before a stop); genesis, loss and clock untrusted
            are set here.

    Raises:
        RefusedError: rows, events or sizes that a verifier would refuse; nothing is signed.

    """
    check_scans(rows)
    flags = _all_flags(flags, event_lines, position, stamp)
    _checked_events(event_lines, flags, origin.config_hash)
    payload = join(arrow_stream(rows), event_lines)
    header = Header(
        flags=flags,
        gateway_id=origin.gateway_id,
        chain_id=position.chain_id,
        batch_no=position.batch_no,
        first_seq=position.first_seq,
        record_count=len(rows),
        boot_count=stamp.boot_count,
        boot_id=stamp.boot_id,
        mono_ns=stamp.mono_ns,
        wall_ns=stamp.wall_ns,
        wall_unc_ms=stamp.wall_unc_ms,
        clock_state=stamp.clock_state,
        payload_len=len(payload),
        prev_batch_hash=position.prev_batch_hash,
        payload_sha256=Hash(sha256(payload).digest()),
        record_root=record_root(rows, event_lines),
        config_hash=origin.config_hash,
        software_hash=origin.software_hash,
        key_id=origin.key.key_id,
    )
    header_bytes = header.pack()
    return SignedBatch(
        header=header,
        header_bytes=header_bytes,
        signature=origin.key.sign(BATCH_CONTEXT, header_bytes),
        body=compress(payload),
    )


def record_root(rows: RowArray, event_lines: Sequence[bytes]) -> Hash:
    """Return the tree hash over the scans and the events of a batch."""
    return root([*scan_leaves(rows), *map(event_leaf, event_lines)])


def open_body(header: Header, body: bytes) -> Parts:
    """Return the parts of a body that its signed header vouches for; Arrow is not read.

    Raises:
        RefusedError: ZSTD or PAYLOAD: not what was signed; PARTS: what was signed breaks the form.

    """
    payload = decompress(body, header.payload_len)
    if sha256(payload).digest() != header.payload_sha256:
        raise RefusedError(Code.PAYLOAD, "payload_sha256 differs")
    return split(payload)


def check_content(
    header: Header, rows: RowArray, event_lines: Sequence[bytes]
) -> tuple[Event, ...]:
    """Return the events of a batch whose decoded rows and event lines are those that were signed.

    Raises:
        RefusedError: SCANS; EVENT: a line is not canonical; COUNT; ROOT; EVENT: an event breaks
            its rules. Checked in this order (docs/wire-format.md section 12).

    """
    check_scans(rows)
    for line in event_lines:
        parse_canonical(line)
    if len(rows) != header.record_count:
        raise RefusedError(Code.COUNT, f"{len(rows)} rows, record_count is {header.record_count}")
    if record_root(rows, event_lines) != header.record_root:
        raise RefusedError(Code.ROOT, "record_root differs")
    return _checked_events(event_lines, header.flags, header.config_hash)


def _checked_events(
    event_lines: Sequence[bytes], flags: BatchFlag, config_hash: Hash
) -> tuple[Event, ...]:
    """Return the events, refusing also a config_applied of another configuration."""
    events = check_events(event_lines, flags=flags)
    for event in events:
        if event.type == CONFIG_APPLIED and event.fields["config_hash"] != config_hash.hex():
            raise RefusedError(Code.EVENT, "config_applied names another hash than config_hash")
    return events


def _all_flags(
    flags: BatchFlag, event_lines: Sequence[bytes], position: Position, stamp: Stamp
) -> BatchFlag:
    if position.batch_no == 0:
        flags |= BatchFlag.GENESIS
    if stamp.wall_unc_ms == UNKNOWN_ERROR_MS:
        flags |= BatchFlag.CLOCK_UNTRUSTED
    if any(parse_event(line).type == LOSS for line in event_lines):
        flags |= BatchFlag.LOSS
    return flags
