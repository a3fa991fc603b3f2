"""The 312 signed bytes of a batch: what they hold, and which values may not stand there.

A `Header` that exists obeys every rule of docs/wire-format.md section 2 that one header can show;
rules between a batch and the one before are in `chain`.
"""

import struct
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Self
from uuid import UUID

from edge_agent.wire.readings import MAX_ROWS
from edge_agent.wire.refusal import Code, RefusedError
from edge_agent.wire.vocabulary import (
    HASH_SIZE,
    NO_HASH,
    UNKNOWN_ERROR_MS,
    BatchFlag,
    ClockState,
    Hash,
)

HEADER_SIZE: Final = 312
MIN_PAYLOAD: Final = 9
MAX_PAYLOAD: Final = 4_194_304
"""Bytes of an uncompressed payload (docs/wire-format.md section 2, payload_len)."""

_MAGIC: Final = b"EWBATCH1"
_ED25519: Final = 1
_SHA256: Final = 1
_PAYLOAD_FORMAT: Final = 1
_KNOWN_FLAGS: Final = 0b1111
_MAX_BATCH_NO: Final = 2**63 - 1
_BATCH_HASH_PREFIX: Final = b"\x02"

# Offsets 0, 8, 10, 11, 12, 14 | 16, 32, 48, 56, 64, 68 | 72, 88, 96, 104, 108, 110, 112 | 120 ...
_LAYOUT: Final = struct.Struct("<8sHBBHH16s16sQQII16sqqIHHQ32s32s32s32s32s32s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The header of one batch; field by field docs/wire-format.md section 2.

    Raises:
        RefusedError: HEADER: a field breaks its rule.

    """

    flags: BatchFlag
    gateway_id: UUID
    chain_id: UUID
    batch_no: int
    first_seq: int
    record_count: int
    boot_count: int
    boot_id: UUID
    mono_ns: int
    wall_ns: int
    wall_unc_ms: int
    clock_state: ClockState
    payload_len: int
    prev_batch_hash: Hash
    payload_sha256: Hash
    record_root: Hash
    config_hash: Hash
    software_hash: Hash
    key_id: Hash

    def __post_init__(self) -> None:
        fault = _place_fault(self) or _clock_fault(self) or _size_fault(self) or _hash_fault(self)
        if fault is not None:
            raise RefusedError(Code.HEADER, fault)

    @property
    def is_genesis(self) -> bool:
        """Whether this is the first batch of its chain."""
        return BatchFlag.GENESIS in self.flags

    @property
    def next_seq(self) -> int:
        """The first_seq that the next batch of the chain must have."""
        return self.first_seq + self.record_count

    def pack(self) -> bytes:
        """Return the 312 bytes that are signed."""
        return _LAYOUT.pack(
            _MAGIC,
            HEADER_SIZE,
            _ED25519,
            _SHA256,
            _PAYLOAD_FORMAT,
            self.flags,
            self.gateway_id.bytes,
            self.chain_id.bytes,
            self.batch_no,
            self.first_seq,
            self.record_count,
            self.boot_count,
            self.boot_id.bytes,
            self.mono_ns,
            self.wall_ns,
            self.wall_unc_ms,
            self.clock_state,
            0,
            self.payload_len,
            self.prev_batch_hash,
            self.payload_sha256,
            self.record_root,
            self.config_hash,
            self.software_hash,
            self.key_id,
        )

    @classmethod
    def unpack(cls, header: bytes) -> Self:
        """Return the header in these 312 bytes.

        Raises:
            RefusedError: HEADER: wrong length, or a field breaks its rule.

        """
        if len(header) != HEADER_SIZE:
            raise RefusedError(Code.HEADER, f"{len(header)} bytes, must be {HEADER_SIZE}")
        (
            magic,
            header_len,
            sig_alg,
            hash_alg,
            payload_fmt,
            flags,
            gateway_id,
            chain_id,
            batch_no,
            first_seq,
            record_count,
            boot_count,
            boot_id,
            mono_ns,
            wall_ns,
            wall_unc_ms,
            clock_state,
            reserved,
            payload_len,
            *hashes,
        ) = _LAYOUT.unpack(header)
        _require_constants(
            magic=magic,
            header_len=header_len,
            sig_alg=sig_alg,
            hash_alg=hash_alg,
            payload_fmt=payload_fmt,
            reserved=reserved,
        )
        if flags & ~_KNOWN_FLAGS:
            raise RefusedError(Code.HEADER, f"flags is {flags:#x}, only 1, 2, 4 and 8 are known")
        if clock_state > max(ClockState):
            raise RefusedError(Code.HEADER, f"clock_state is {clock_state}, must be 0 to 5")
        return cls(
            flags=BatchFlag(flags),
            gateway_id=UUID(bytes=gateway_id),
            chain_id=UUID(bytes=chain_id),
            batch_no=batch_no,
            first_seq=first_seq,
            record_count=record_count,
            boot_count=boot_count,
            boot_id=UUID(bytes=boot_id),
            mono_ns=mono_ns,
            wall_ns=wall_ns,
            wall_unc_ms=wall_unc_ms,
            clock_state=ClockState(clock_state),
            payload_len=payload_len,
            prev_batch_hash=hashes[0],
            payload_sha256=hashes[1],
            record_root=hashes[2],
            config_hash=hashes[3],
            software_hash=hashes[4],
            key_id=hashes[5],
        )


def batch_hash(header: bytes) -> Hash:
    """Return the hash that names a batch: SHA-256(0x02 || header)."""
    return Hash(sha256(_BATCH_HASH_PREFIX + header).digest())


_HASHES: Final = (
    "prev_batch_hash",
    "payload_sha256",
    "record_root",
    "config_hash",
    "software_hash",
    "key_id",
)
_CONSTANTS: Final[dict[str, bytes | int]] = {
    "magic": _MAGIC,
    "header_len": HEADER_SIZE,
    "sig_alg": _ED25519,
    "hash_alg": _SHA256,
    "payload_fmt": _PAYLOAD_FORMAT,
    "reserved": 0,
}


def _require_constants(**found: bytes | int) -> None:
    for name, value in found.items():
        if value != _CONSTANTS[name]:
            raise RefusedError(Code.HEADER, f"{name} is {value!r}, must be {_CONSTANTS[name]!r}")


def _place_fault(header: Header) -> str | None:
    if not 0 <= header.batch_no <= _MAX_BATCH_NO:
        return f"batch_no is {header.batch_no}, must be below 2^63"
    if header.is_genesis != (header.batch_no == 0):
        return f"batch_no is {header.batch_no}: 0 exactly in a genesis"
    if header.is_genesis != (header.prev_batch_hash == NO_HASH):
        return "prev_batch_hash must be zero exactly in a genesis"
    if header.is_genesis and header.first_seq != 0:
        return f"first_seq is {header.first_seq}, must be 0 in a genesis"
    return None


def _clock_fault(header: Header) -> str | None:
    if header.mono_ns < 0:
        return f"mono_ns is {header.mono_ns}, must not be negative"
    is_unknown = header.wall_unc_ms == UNKNOWN_ERROR_MS
    if is_unknown != (BatchFlag.CLOCK_UNTRUSTED in header.flags):
        return "wall_unc_ms must be unknown exactly when flag 4 (clock untrusted) is set"
    if header.clock_state is ClockState.UNSET and not is_unknown:
        return f"wall_unc_ms is {header.wall_unc_ms}, must be unknown while the clock is unset"
    return None


def _size_fault(header: Header) -> str | None:
    if not 0 <= header.record_count <= MAX_ROWS:
        return f"record_count is {header.record_count}, must be at most {MAX_ROWS}"
    if not MIN_PAYLOAD <= header.payload_len <= MAX_PAYLOAD:
        return f"payload_len is {header.payload_len}, must be {MIN_PAYLOAD} to {MAX_PAYLOAD}"
    return None


def _hash_fault(header: Header) -> str | None:
    # Bytes that were received always fit; bytes that we made up may not, and would be padded.
    for name in _HASHES:
        if len(getattr(header, name)) != HASH_SIZE:
            return f"{name} is {len(getattr(header, name))} bytes, must be {HASH_SIZE}"
    return None
