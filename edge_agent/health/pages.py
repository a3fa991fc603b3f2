"""What the local HTTP answers to which path; a plain function of path and agent.

Everything is read-only, and every answer is whole: there is nothing to page through.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from edge_agent.health.alarms import Alarm, alarms, unready
from edge_agent.health.metrics import CONTENT_TYPE, exposition
from edge_agent.health.status import ChannelStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from edge_agent.health.status import BufferStatus, Json, Snapshot, UplinkStatus

JSON_TYPE: Final = "application/json"
TEXT_TYPE: Final = "text/plain; charset=utf-8"
# What takes long with many channels: it is put together beside the loop.
LONG_PAGES: Final = frozenset({b"/v1/channels"})

_CHANNEL_FIELDS: Final = tuple(field.name for field in fields(ChannelStatus))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where the pages get what they show; each call returns the present, without waiting."""

    snapshot: Callable[[], Snapshot]
    channels: Callable[[], Iterable[ChannelStatus]]
    """The last reading of every channel; called in a thread of its own."""
    events: Callable[[], Sequence[Mapping[str, Json]]]
    """The last events, newest last, as they were signed."""
    stalled: Callable[[], Sequence[str]]
    """Tasks that make no progress, see `systemd.Progress`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One answer."""

    status: HTTPStatus
    content_type: str
    body: bytes


def page(path: str, sources: Sources) -> Page:
    """Return the answer to a GET of this path; the query is not looked at."""
    make = _PAGES.get(path.partition("?")[0])
    if make is None:
        return _json({"error": "not found", "paths": sorted(_PAGES)}, HTTPStatus.NOT_FOUND)
    return make(sources)


def _status(sources: Sources) -> Page:
    snapshot = sources.snapshot()
    return _json(status_json(snapshot, alarms(snapshot)))


def _channels(sources: Sources) -> Page:
    # A gateway may have 100,000 channels: asdict would take a dozen times as long, and one call of
    # the encoder for all of them would hold up the loop, beside which this runs.
    told = ({name: getattr(one, name) for name in _CHANNEL_FIELDS} for one in sources.channels())
    body = ",".join(map(_encoded, told))
    content = f'{{"channels":[{body}]}}\n'.encode()
    return Page(status=HTTPStatus.OK, content_type=JSON_TYPE, body=content)


def _events(sources: Sources) -> Page:
    return _json({"events": list(sources.events())})


def _metrics(sources: Sources) -> Page:
    return Page(
        status=HTTPStatus.OK,
        content_type=CONTENT_TYPE,
        body=exposition(sources.snapshot()).encode(),
    )


def _healthz(sources: Sources) -> Page:
    return _verdict("stalled", sources.stalled())


def _readyz(sources: Sources) -> Page:
    return _verdict("not ready", unready(sources.snapshot()))


_PAGES: Final[Mapping[str, Callable[[Sources], Page]]] = {
    "/v1/status": _status,
    "/v1/channels": _channels,
    "/v1/events": _events,
    "/metrics": _metrics,
    "/healthz": _healthz,
    "/readyz": _readyz,
}


def status_json(snapshot: Snapshot, raised: Sequence[Alarm]) -> dict[str, Json]:
    """Return a snapshot with its alarms as JSON values; UUIDs and hashes as text."""
    agent = snapshot.agent
    return {
        "at_ns": snapshot.at_ns,
        "agent": {
            "version": agent.version,
            "gateway_id": str(agent.gateway_id),
            "config_hash": agent.config_hash.hex(),
            "started_ns": agent.started_ns,
            "is_simulated": agent.is_simulated,
        },
        "alarms": [asdict(alarm) for alarm in raised],
        "devices": [asdict(device) for device in snapshot.devices],
        "buffer": _buffer_json(snapshot.buffer),
        "uplink": _uplink_json(snapshot.uplink),
        "clock": asdict(snapshot.clock),
        "configuration": asdict(snapshot.configuration),
        "hardware_changed": list(snapshot.hardware_changed),
    }


def _buffer_json(buffer: BufferStatus) -> dict[str, Json]:
    chain_id = None if buffer.chain_id is None else str(buffer.chain_id)
    return {**asdict(buffer), "chain_id": chain_id}


def _uplink_json(uplink: UplinkStatus) -> dict[str, Json]:
    return {
        "last_contact_ns": uplink.last_contact_ns,
        "last_receipt_ns": uplink.last_receipt_ns,
        "last_error": uplink.last_error,
        "failures": uplink.failures,
        "next_try_ns": uplink.next_try_ns,
        "requests": uplink.requests,
        "delivered_batches": uplink.delivered_batches,
        "delivered_bytes": uplink.delivered_bytes,
    }


def _json(value: Mapping[str, Json], status: HTTPStatus = HTTPStatus.OK) -> Page:
    body = _encoded(value).encode() + b"\n"
    return Page(status=status, content_type=JSON_TYPE, body=body)


def _encoded(value: Mapping[str, Json]) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _verdict(fault: str, reasons: Sequence[str]) -> Page:
    if not reasons:
        return Page(status=HTTPStatus.OK, content_type=TEXT_TYPE, body=b"ok\n")
    text = f"{fault}: {', '.join(reasons)}\n"
    return Page(status=HTTPStatus.SERVICE_UNAVAILABLE, content_type=TEXT_TYPE, body=text.encode())
