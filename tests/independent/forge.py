"""Hand-made chains for the checker's own tests: an encoder of EWP-1 that can also write nonsense.

Written from docs/wire-format.md alone, like the checker; used by these tests and nothing else.
"""

from __future__ import annotations

import hashlib
import io
import json
import struct
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple, TypedDict

import pyarrow as pa
import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Unpack


class Row(NamedTuple):
    """One row of the readings."""

    scan: int
    channel: int
    at: int
    mono: int
    raw: int
    status: int
    quality: int


GATEWAY = bytes(range(16))
CHAIN = bytes(range(16, 32))
CONFIG = hashlib.sha256(b"configuration").digest()
SECOND_NS = 1_000_000_000
START_NS = 1_790_000_000 * SECOND_NS
TYPES = (*(pa.uint32(),) * 2, *(pa.int64(),) * 3, *(pa.uint32(),) * 2)
SCHEMA = pa.schema(
    [pa.field(n, t, nullable=False) for n, t in zip(Row._fields, TYPES, strict=True)]
)


def private_key(seed: int = 1) -> Ed25519PrivateKey:
    """Return the same key for the same seed, always."""
    return Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)


def key_id(key: Ed25519PrivateKey) -> bytes:
    """Return the hash of the key's SubjectPublicKeyInfo."""
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).digest()


def event(kind: str, **fields: object) -> dict[str, object]:
    """Return an event with its two times."""
    return {"type": kind, "at_ns": str(START_NS), "mono_ns": "1", **fields}


def line(of: object) -> bytes:
    """Return the canonical line of an event, without 0x0A."""
    return json.dumps(of, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def arrow(rows: Sequence[Row], *, schema: pa.Schema = SCHEMA, **options: object) -> bytes:
    """Return the readings part of rows, in whatever schema and with whatever IPC options."""
    if not rows:
        return b""
    columns = [pa.array(c, f.type) for c, f in zip(zip(*rows, strict=True), schema, strict=True)]
    sink = io.BytesIO()
    ipc_options = pa.ipc.IpcWriteOptions(**options)
    with pa.ipc.new_stream(sink, schema, options=ipc_options) as stream:
        stream.write_batch(pa.record_batch(columns, schema=schema))
    return sink.getvalue()


def joined(readings: bytes, events: bytes) -> bytes:
    """Return the payload of the two parts."""
    return b"".join(struct.pack("<I", len(part)) + part for part in (readings, events))


def compressed(payload: bytes) -> bytes:
    """Return the payload as one zstd frame with its size."""
    return zstandard.ZstdCompressor(level=3).compress(payload)


def leaf(content: bytes) -> bytes:
    """Return the leaf hash of some bytes."""
    return hashlib.sha256(b"\x00" + content).digest()


def tree(leaves: Sequence[bytes]) -> bytes:
    """Return the RFC 6962 tree hash, level by level: an odd node at the end moves up as it is.

    That this equals the recursive definition is why the checker's recursion is worth comparing.
    """
    level = list(leaves)
    while len(level) > 1:
        pairs = [
            hashlib.sha256(b"\x01" + level[i] + level[i + 1]).digest()
            for i in range(0, len(level) - 1, 2)
        ]
        level = [*pairs, *level[len(level) - len(level) % 2 :]]
    return level[0]


def scan_leaves(rows: Iterable[Row]) -> list[bytes]:
    """Return the leaf of each scan."""
    scans: dict[int, bytes] = {}
    for row in rows:
        scans[row.scan] = scans.get(row.scan, b"") + struct.pack("<IIqqqII", *row)
    return [leaf(packed) for packed in scans.values()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The fields of a header, in order, with values that a good genesis has."""

    magic: bytes = b"EWBATCH1"
    header_len: int = 312
    sig_alg: int = 1
    hash_alg: int = 1
    payload_fmt: int = 1
    flags: int = 1
    gateway_id: bytes = GATEWAY
    chain_id: bytes = CHAIN
    batch_no: int = 0
    first_seq: int = 0
    record_count: int = 0
    boot_count: int = 1
    boot_id: bytes = b"b" * 16
    mono_ns: int = 1
    wall_ns: int = START_NS
    wall_unc_ms: int = 5
    clock_state: int = 1
    reserved: int = 0
    payload_len: int = 0
    prev_batch_hash: bytes = bytes(32)
    payload_sha256: bytes = b""
    record_root: bytes = b""
    config_hash: bytes = CONFIG
    software_hash: bytes = bytes(32)
    key_id: bytes = field(default_factory=lambda: key_id(private_key()))

    def packed(self) -> bytes:
        """Return the 312 bytes."""
        values = (getattr(self, name) for name in self.__dataclass_fields__)
        return struct.pack("<8sHBBHH16s16sQQII16sqqIHHQ32s32s32s32s32s32s", *values)


class HeadFields(TypedDict, total=False):
    """Those fields of a header that a test may set."""

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
    config_hash: bytes
    key_id: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """One made batch: its bytes, and what the columns beside them will say."""

    head: Head
    header: bytes
    signature: bytes
    body: bytes
    rows: tuple[Row, ...]
    events: tuple[bytes, ...]
    verdict: int = 0

    @property
    def batch_hash(self) -> bytes:
        """Return the name of the batch."""
        return hashlib.sha256(b"\x02" + self.header).digest()

    def with_header(self, **changes: Unpack[HeadFields]) -> Made:
        """Return the batch with other header fields, signed anew."""
        return signed(replace(self.head, **changes), self)

    def with_payload(self, payload: bytes) -> Made:
        """Return the batch with another payload, whose length, hash and signature are right."""
        made = replace(self, body=compressed(payload))
        digest = hashlib.sha256(payload).digest()
        return made.with_header(payload_len=len(payload), payload_sha256=digest)

    def as_headstone(self, *, hashes: Sequence[bytes] | None = None) -> Made:
        """Return the batch with its readings given up; its scans must be one whole subtree."""
        leaves = scan_leaves(self.rows)
        given = [tree(leaves)] if hashes is None else hashes
        part = b"".join(each + b"\n" for each in self.events)
        counts = struct.pack("<II", len(leaves), len(given))
        body = counts + b"".join(given) + struct.pack("<I", len(part)) + part
        return replace(self, body=body, verdict=3)


def signed(head: Head, made: Made, *, seed: int = 1) -> Made:
    """Return `made` under another header, signed by the key of `seed`."""
    raw = head.packed()
    signature = private_key(seed).sign(b"EmissionWatch batch signature v1\x00" + raw)
    return replace(made, head=head, header=raw, signature=signature)


def batch(rows: Sequence[Row], events: Sequence[object], before: Made | None = None) -> Made:
    """Return a good batch of these rows and events, behind `before` or as a genesis."""
    lines = tuple(line(each) for each in events)
    payload = joined(arrow(rows), b"".join(each + b"\n" for each in lines))
    head = Head(
        record_count=len(rows),
        payload_len=len(payload),
        payload_sha256=hashlib.sha256(payload).digest(),
        record_root=tree([*scan_leaves(rows), *map(leaf, lines)]),
    )
    if before:
        head = replace(
            head,
            flags=0,
            batch_no=before.head.batch_no + 1,
            first_seq=before.head.first_seq + before.head.record_count,
            mono_ns=before.head.mono_ns + 1,
            prev_batch_hash=before.batch_hash,
        )
    made = Made(
        head=head,
        header=b"",
        signature=b"",
        body=compressed(payload),
        rows=tuple(rows),
        events=lines,
    )
    return signed(head, made)


def receipt(made: Made, *, seed: int = 9) -> bytes:
    """Return the receipt of a centre whose key is that of `seed`."""
    head, key = made.head, private_key(seed)
    fields = (key_id(key), head.gateway_id, head.chain_id, head.batch_no, made.batch_hash)
    body = struct.pack("<32s16s16sQ32sQqB", *fields, 2**64 - 1, START_NS, made.verdict)
    return body + key.sign(b"EmissionWatch receipt v1\x00" + body)
