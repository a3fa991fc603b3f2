"""The 312 bytes of a batch header: its fields, their ranges and the signature over them.

Every rule is of docs/wire-format.md section 2; nothing here looks at a body or at another batch.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature

from ewcheck.faults import InvalidError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

# offsets 0 to 280 of the table, in its order; no padding ("<")
LAYOUT = struct.Struct("<8sHBBHH16s16sQQII16sqqIHHQ32s32s32s32s32s32s")
CONTEXT = b"EmissionWatch batch signature v1\x00"
GENESIS, HOLDS_LOSS, CLOCK_UNTRUSTED, LAST_BEFORE_STOP = 1, 2, 4, 8
UNKNOWN_ERROR = 0xFFFFFFFF
MAX_ROWS = 65_536
MAX_PAYLOAD = 4_194_304
ZERO = bytes(32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """One header as its bytes say, with the hash that names the batch."""

    magic: bytes
    header_len: int
    sig_alg: int
    hash_alg: int
    payload_fmt: int
    flags: int
    gateway_id: bytes
    chain_id: bytes
    batch_no: int
    first_seq: int
    record_count: int
    boot_count: int
    boot_id: bytes
    mono_ns: int
    wall_ns: int
    wall_unc_ms: int
    clock_state: int
    reserved: int
    payload_len: int
    prev_batch_hash: bytes
    payload_sha256: bytes
    record_root: bytes
    config_hash: bytes
    software_hash: bytes
    key_id: bytes
    batch_hash: bytes

    @property
    def is_genesis(self) -> bool:
        """Whether this batch says that it begins a chain."""
        return bool(self.flags & GENESIS)

    @property
    def name(self) -> str:
        """Chain, number and hash, short enough for a line of a report."""
        return f"{self.chain_id.hex()[:8]}/{self.batch_no}/{self.batch_hash.hex()[:12]}"


def parsed(raw: bytes) -> Header:
    """Return the header that `raw` holds; InvalidError names the first rule it breaks."""
    if len(raw) != LAYOUT.size:
        raise InvalidError(f"header: {len(raw)} bytes, not {LAYOUT.size}")
    names = tuple(Header.__dataclass_fields__)[:-1]
    fields = dict(zip(names, LAYOUT.unpack(raw), strict=True))
    header = Header(**fields, batch_hash=hashlib.sha256(b"\x02" + raw).digest())
    for broken, rule in _rules(header):
        if broken:
            raise InvalidError(f"header: {rule}")
    return header


def _rules(h: Header) -> tuple[tuple[bool, str], ...]:
    """Return (is broken, the rule) for every rule that one header alone can break."""
    genesis = h.is_genesis
    return (
        (h.magic != b"EWBATCH1", "magic"),
        (h.header_len != LAYOUT.size, "header_len"),
        (h.sig_alg != 1, "sig_alg"),
        (h.hash_alg != 1, "hash_alg"),
        (h.payload_fmt != 1, "payload_fmt"),
        (bool(h.flags & ~15), "an unknown flag"),
        ((h.batch_no == 0) != genesis, "number 0 exactly in a genesis"),
        (h.batch_no >= 1 << 63, "batch_no below 2^63"),
        ((h.prev_batch_hash == ZERO) != genesis, "prev_batch_hash zero exactly in a genesis"),
        (genesis and h.first_seq != 0, "first_seq 0 in a genesis"),
        (h.record_count > MAX_ROWS, "record_count"),
        (h.mono_ns < 0, "mono_ns below 0"),
        (
            (h.wall_unc_ms == UNKNOWN_ERROR) != bool(h.flags & CLOCK_UNTRUSTED),
            "flag 4 exactly when the clock's error is unknown",
        ),
        (h.clock_state > 5, "clock_state"),
        (h.clock_state == 0 and h.wall_unc_ms != UNKNOWN_ERROR, "an unset clock has no error"),
        (h.reserved != 0, "reserved"),
        (not 9 <= h.payload_len <= MAX_PAYLOAD, "payload_len"),
    )


def key_named(raw: bytes) -> bytes:
    """Return the id of the key that is to have signed a header, whatever else is in it."""
    return raw[280:312]


def check_signature(
    raw: bytes, signature: bytes, keys: Mapping[bytes, Ed25519PublicKey], key_id: bytes
) -> None:
    """Raise InvalidError unless `signature` is that of the key `key_id` over `raw`."""
    if len(signature) != 64:
        raise InvalidError(f"signature: {len(signature)} bytes, not 64")
    key = keys.get(key_id)
    if key is None:
        raise InvalidError(f"key: {key_id.hex()[:16]} is none of the gateway's")
    try:
        key.verify(signature, CONTEXT + raw)
    except InvalidSignature:
        raise InvalidError("signature: not that of the key over these bytes") from None
