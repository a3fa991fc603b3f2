"""The fields of a batch header by name, for helpers that change some of them."""

from typing import TypedDict
from uuid import UUID

from edge_agent.wire.vocabulary import BatchFlag, ClockState, Hash


class HeaderFields(TypedDict, total=False):
    """What `dataclasses.replace` takes for an `edge_agent.wire.header.Header`."""

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
