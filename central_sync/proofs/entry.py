"""What stands in the log: one entry per batch that got a receipt, one per fact of the registry.

Bytes and their meaning; who appends them and when is docs/witness.md section 2.
"""

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, Self, TypeAlias
from uuid import UUID

from edge_agent.wire.canonical import JsonValue, canonical, parse_canonical
from edge_agent.wire.receipt import BatchPlace, Receipt
from edge_agent.wire.refusal import Code, RefusedError
from edge_agent.wire.vocabulary import Hash, Verdict

LOG_STARTED: Final = "log_started"
LOG_RESTARTED: Final = "log_restarted"
RECEIPT_KEY: Final = "receipt_key"
GATEWAY_ADDED: Final = "gateway_added"
GATEWAY_REVOKED: Final = "gateway_revoked"
KEY_REGISTERED: Final = "key_registered"
KEY_REVOKED: Final = "key_revoked"
BUNDLE_STORED: Final = "bundle_stored"
PROFILE_STORED: Final = "profile_stored"
ALARM_RAISED: Final = "alarm_raised"
SEGMENT_SEALED: Final = "segment_sealed"
"""Types of facts (docs/witness.md section 2)."""

_KIND_BATCH: Final = 1
_KIND_FACT: Final = 2
# docs/witness.md section 2: kind, gateway, chain, batch_no, batch_hash, received_ns, verdict.
_BATCH: Final = struct.Struct("<B16s16sQ32sqB")
_LEAF: Final = b"\x00"
_INTEGER: Final = re.compile(r"0|-?[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchEntry:
    """The centre took this batch then, under this verdict: what its receipt says, too."""

    place: BatchPlace
    received_ns: int
    verdict: Verdict

    @classmethod
    def of(cls, receipt: Receipt) -> Self:
        """Return the entry that belongs to a receipt."""
        return cls(place=receipt.place, received_ns=receipt.received_ns, verdict=receipt.verdict)

    def pack(self) -> bytes:
        """Return the 82 bytes."""
        place = self.place
        return _BATCH.pack(
            _KIND_BATCH,
            place.gateway_id.bytes,
            place.chain_id.bytes,
            place.batch_no,
            place.batch_hash,
            self.received_ns,
            self.verdict,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FactEntry:
    """Something that happened at the centre; unknown types are kept and skipped by readers."""

    type: str
    at_ns: int
    fields: Mapping[str, JsonValue] = field(default_factory=dict)

    def pack(self) -> bytes:
        """Return the entry: its kind, then canonical JSON.

        Raises:
            RefusedError: EVENT: a field that canonical JSON may not hold.

        """
        members = {**self.fields, "type": self.type, "at_ns": str(self.at_ns)}
        return bytes([_KIND_FACT]) + canonical(members)

    def text(self, name: str) -> str:
        """Return a field that must be text.

        Raises:
            RefusedError: EVENT: it is not there, or something else.

        """
        value = self.fields.get(name)
        if not isinstance(value, str):
            raise RefusedError(Code.EVENT, f"{self.type}: {name} must be text")
        return value

    def octets(self, name: str) -> bytes:
        """Return a field that must be hex digits, as bytes.

        Raises:
            RefusedError: EVENT: it is not there, or something else.

        """
        text = self.text(name)
        try:
            octets = bytes.fromhex(text)
        except ValueError:
            octets = b""
        if octets.hex() != text:
            raise RefusedError(Code.EVENT, f"{self.type}: {name} must be hex digits")
        return octets

    def gateway(self) -> UUID:
        """Return the gateway that the fact is about.

        Raises:
            RefusedError: EVENT: there is none.

        """
        try:
            return UUID(self.text("gateway"))
        except ValueError as fault:
            raise RefusedError(Code.EVENT, f"{self.type}: gateway must be a UUID") from fault


Entry: TypeAlias = BatchEntry | FactEntry


def parse_entry(entry: bytes) -> Entry:
    """Return what an entry says.

    Raises:
        RefusedError: FRAME: of no known kind or of a wrong length; EVENT: a fact that is not
            canonical JSON with `type` and `at_ns`.

    """
    kind = entry[:1]
    if kind == bytes([_KIND_BATCH]):
        return _batch(entry)
    if kind == bytes([_KIND_FACT]):
        return _fact(entry[1:])
    raise RefusedError(Code.FRAME, f"an entry of kind {kind.hex() or 'none'}")


def leaf(entry: bytes) -> Hash:
    """Return the leaf of an entry: SHA-256(0x00 || entry), as RFC 6962 section 2.1 has it."""
    return Hash(sha256(_LEAF + entry).digest())


def _batch(entry: bytes) -> BatchEntry:
    if len(entry) != _BATCH.size:
        raise RefusedError(Code.FRAME, f"a batch entry of {len(entry)} bytes, not {_BATCH.size}")
    _, gateway, chain, batch_no, batch_hash, received_ns, verdict = _BATCH.unpack(entry)
    if verdict > max(Verdict):
        raise RefusedError(Code.FRAME, f"verdict is {verdict}, must be 0 to 3")
    return BatchEntry(
        place=BatchPlace(
            gateway_id=UUID(bytes=gateway),
            chain_id=UUID(bytes=chain),
            batch_no=batch_no,
            batch_hash=Hash(batch_hash),
        ),
        received_ns=received_ns,
        verdict=Verdict(verdict),
    )


def _fact(line: bytes) -> FactEntry:
    members = parse_canonical(line)
    kind, at = members.pop("type", None), members.pop("at_ns", None)
    if not isinstance(kind, str) or not isinstance(at, str):
        raise RefusedError(Code.EVENT, "a fact must have type and at_ns")
    if _INTEGER.fullmatch(at) is None:
        raise RefusedError(Code.EVENT, "at_ns must be decimal digits")
    return FactEntry(type=kind, at_ns=int(at), fields=members)
