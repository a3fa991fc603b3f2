"""The hashes that pin an hourly value to what it was made of (docs/calculations.md section 6)."""

import struct
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Final
from uuid import UUID

from central_sync.model import HourlyValue
from central_sync.programs.plan import Role
from edge_agent.wire.canonical import JsonValue, canonical
from edge_agent.wire.vocabulary import Hash

INPUT_CONTEXT: Final = b"EmissionWatch hour input v1\0"


def input_hash(gateway_id: UUID, start_ns: int, batch_hashes: Iterable[Hash]) -> Hash:
    """Return the hash of the batches that have a row in the hour, in any order given."""
    ordered = sorted(set(batch_hashes))
    head = struct.pack("<16sqI", gateway_id.bytes, start_ns, len(ordered))
    return Hash(sha256(INPUT_CONTEXT + head + b"".join(ordered)).digest())


def parameter_hash(role: Role, config_hashes: Iterable[Hash]) -> Hash:
    """Return the hash of what the plan says of a channel, and of the configurations used."""
    described: dict[str, JsonValue] = dict(role.described())
    described["configurations"] = [one.hex() for one in sorted(set(config_hashes))]
    return Hash(sha256(canonical(described)).digest())


def output_hash(value: HourlyValue) -> Hash:
    """Return the hash of a result: all of it but its hashes."""
    result: Mapping[str, JsonValue] = {
        "gateway": str(value.gateway_id),
        "facility": value.facility,
        "channel": value.channel,
        "name": value.name,
        "parameter": value.parameter,
        "unit_of_measure": value.unit_of_measure,
        "hour_ns": str(value.hour_ns),
        "value": value.value,
        "total": str(value.total),
        "reading_count": value.reading_count,
        "used_count": value.used_count,
        "quadrants": value.quadrants,
        "valid": value.is_valid,
        "provisional": value.is_provisional,
        "simulated": value.is_simulated,
        "detail": value.detail,
        "kernel": value.kernel,
    }
    return Hash(sha256(canonical(result)).digest())
