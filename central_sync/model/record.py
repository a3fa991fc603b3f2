"""The record: gateways, their keys, and batches exactly as they were signed."""

from dataclasses import dataclass
from functools import cached_property
from uuid import UUID

from edge_agent.wire.header import Header
from edge_agent.wire.vocabulary import Hash, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """One registered gateway; `revoked_ns` is None while its keys are accepted."""

    id: UUID
    facility: str
    name: str
    added_ns: int
    revoked_ns: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayKey:
    """One signing key of a gateway: the 32 bytes of the Ed25519 public key and their id."""

    gateway_id: UUID
    key_id: bytes
    public_key: bytes
    is_active: bool


@dataclass(frozen=True, kw_only=True)
class StoredBatch:
    """One batch as the centre keeps it: signed bytes verbatim, and the receipt given for them.

    `at_min` and `at_max` are the smallest and largest `at` of its rows (UTC ns), None when it
    has no readable rows. `body` is the zstd frame as received (a headstone's body for verdict 3).
    """

    gateway_id: UUID
    chain_id: UUID
    batch_no: int
    batch_hash: Hash
    verdict: Verdict
    header_bytes: bytes
    signature: bytes
    body: bytes
    receipt: bytes
    received_ns: int
    at_min: int | None
    at_max: int | None
    record_count: int

    @cached_property
    def header(self) -> Header:
        """The header, read from its signed bytes."""
        return Header.unpack(self.header_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLine:
    """What was asked for of one chain: its lowest and highest number; numbers between may lack."""

    gateway_id: UUID
    chain_id: UUID
    first_no: int
    last_no: int
