"""Hourly values as lines of canonical JSON, as archives hold them: all of a revision, one way."""

from typing import Final
from uuid import UUID

from central_sync.model.result import HourlyRevision, HourlyValue
from edge_agent.wire.canonical import JsonValue, canonical, parse_canonical
from edge_agent.wire.refusal import Code, RefusedError
from edge_agent.wire.vocabulary import Hash

# Integers that may be wider than canonical JSON has them stand as digits.
_WIDE: Final = ("hour_ns", "total", "revision", "computed_ns")
_HASHES: Final = ("input_hash", "parameter_hash", "output_hash")


def result_line(one: HourlyRevision) -> bytes:
    """Return a revision as a line, without 0x0A."""
    value = one.value
    members: dict[str, JsonValue] = {
        "gateway_id": str(value.gateway_id),
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
        "is_valid": value.is_valid,
        "is_provisional": value.is_provisional,
        "is_simulated": value.is_simulated,
        "detail": value.detail,
        "input_hash": value.input_hash.hex(),
        "parameter_hash": value.parameter_hash.hex(),
        "kernel": value.kernel,
        "output_hash": value.output_hash.hex(),
        "revision": str(one.revision),
        "computed_ns": str(one.computed_ns),
    }
    return canonical(members)


def parse_result(line: bytes) -> HourlyRevision:
    """Return the revision in a line.

    Raises:
        RefusedError: EVENT: it is none.

    """
    members = parse_canonical(line)
    try:
        given: dict[str, object] = dict(members)
        given |= {name: int(str(members[name])) for name in _WIDE}
        given |= {name: Hash(bytes.fromhex(str(members[name]))) for name in _HASHES}
        given["gateway_id"] = UUID(str(members["gateway_id"]))
        revision, computed_ns = given.pop("revision"), given.pop("computed_ns")
        made = HourlyRevision(
            value=HourlyValue(**given),  # type: ignore[arg-type] # what is wrong is written otherwise
            revision=revision,  # type: ignore[arg-type] # the same
            computed_ns=computed_ns,  # type: ignore[arg-type] # the same
        )
        is_same = result_line(made) == line
    except (KeyError, TypeError, ValueError, AttributeError) as fault:
        raise RefusedError(Code.EVENT, f"no hourly value: {fault}") from fault
    if not is_same:
        raise RefusedError(Code.EVENT, "an hourly value must be written as it is made")
    return made
