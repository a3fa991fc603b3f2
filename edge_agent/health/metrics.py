"""The snapshot as metrics in the Prometheus text format. Pure.

Names start with `emissionwatch_edge_`, units are seconds and bytes, and labels are only what the
configuration names: devices and constant reasons.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from edge_agent.health.alarms import CLOCK_STATES, alarms
from edge_agent.health.status import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from edge_agent.health.status import BufferStatus, ClockStatus, Snapshot, UplinkStatus

PREFIX: Final = "emissionwatch_edge_"
# Prometheus exposition formats, text format version 0.0.4.
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

Labels: TypeAlias = tuple[tuple[str, str], ...]
Kind: TypeAlias = Literal["counter", "gauge"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric with its samples."""

    name: str
    """Without the prefix."""
    kind: Kind
    help: str
    samples: tuple[tuple[Labels, float], ...]


def exposition(snapshot: Snapshot) -> str:
    """Return the metrics of a snapshot as text; metrics without a sample are left out."""
    return "".join(_text(metric) for metric in _metrics(snapshot) if metric.samples)


def _metrics(snapshot: Snapshot) -> Iterable[Metric]:
    yield from _agent_metrics(snapshot)
    yield from _device_metrics(snapshot)
    yield from _buffer_metrics(snapshot.buffer, at_ns=snapshot.at_ns)
    yield from _uplink_metrics(snapshot.uplink)
    yield from _clock_metrics(snapshot.clock)


def _agent_metrics(snapshot: Snapshot) -> Iterable[Metric]:
    agent = snapshot.agent
    about = (
        ("version", agent.version),
        ("gateway_id", str(agent.gateway_id)),
        ("config_hash", agent.config_hash.hex()),
        ("simulated", str(agent.is_simulated).lower()),
    )
    yield _gauge("info", "The agent and its configuration.", (about, 1))
    yield _gauge(
        "start_time_seconds", "When the agent started, UTC.", ((), _seconds(agent.started_ns))
    )
    yield _gauge(
        "alarm_active",
        "Reasons for a person to look.",
        *(
            ((("reason", alarm.reason), ("subject", alarm.subject)), 1.0)
            for alarm in alarms(snapshot)
        ),
    )


def _device_metrics(snapshot: Snapshot) -> Iterable[Metric]:
    devices = [((("device", device.name),), device) for device in snapshot.devices]
    yield _gauge(
        "device_gap_polls",
        "Polls missed in the present gap.",
        *(
            (labels, float(device.misses if device.gap_since_ns is not None else 0))
            for labels, device in devices
        ),
    )
    yield _gauge(
        "device_gap_open",
        "Whether the device does not answer now.",
        *((labels, float(device.gap_since_ns is not None)) for labels, device in devices),
    )
    yield _gauge(
        "device_last_answer_timestamp_seconds",
        "When the device last answered, UTC.",
        *(
            (labels, _seconds(device.last_ok_ns))
            for labels, device in devices
            if device.last_ok_ns is not None
        ),
    )


def _buffer_metrics(buffer: BufferStatus, *, at_ns: int) -> Iterable[Metric]:
    oldest_ns = buffer.oldest_unreceipted_ns
    age_s = 0.0 if oldest_ns is None else max(0.0, _seconds(at_ns - oldest_ns))
    yield _counter(
        "batches_committed_total", "Batches made durable since the start.", ((), buffer.batches)
    )
    yield _counter("readings_total", "Readings of this chain.", ((), buffer.readings))
    for name, text, value in (
        ("unreceipted_batches", "Batches without a receipt.", buffer.unreceipted_batches),
        ("unreceipted_readings", "Readings without a receipt.", buffer.unreceipted_readings),
        ("unreceipted_bytes", "Bytes of batches without a receipt.", buffer.unreceipted_bytes),
        ("oldest_unreceipted_age_seconds", "Age of the oldest batch without a receipt.", age_s),
        ("buffer_used_bytes", "Bytes the buffer takes.", buffer.used_bytes),
        ("buffer_quota_bytes", "Bytes the buffer may take.", buffer.quota_bytes),
        ("salvaged_batches", "Brought back from damage.", buffer.salvage.salvaged_batches),
        ("lost_batches", "Lost with damaged files.", buffer.salvage.lost_batches),
        ("buffer_full", "Whether readings cannot be stored any more.", buffer.is_full),
        ("volatile_readings", "Readings in memory only.", buffer.volatile_readings),
        ("ballast_kept", "Whether there is a reserve against a full disk.", buffer.has_ballast),
    ):
        yield _gauge(name, text, ((), float(value)))
    yield _counter(
        "readings_given_up_total", "Readings given up, signed.", ((), buffer.given_up_readings)
    )
    if buffer.disk_free_bytes is not None:
        yield _gauge("disk_free_bytes", "Free beside the buffer.", ((), buffer.disk_free_bytes))
    if buffer.written_bytes is not None:
        yield _counter("disk_written_bytes_total", "Sent to the disk.", ((), buffer.written_bytes))


def _uplink_metrics(uplink: UplinkStatus) -> Iterable[Metric]:
    for name, text, value in (
        ("uplink_requests_total", "Uploads tried.", uplink.requests),
        ("uplink_delivered_batches_total", "Batches receipted.", uplink.delivered_batches),
        ("uplink_delivered_bytes_total", "Bytes of their frames.", uplink.delivered_bytes),
    ):
        yield _counter(name, text, ((), value))
    yield _gauge("uplink_failures", "Failed uploads in a row.", ((), uplink.failures))
    for name, text, at_ns in (
        ("uplink_last_contact_timestamp_seconds", "Last answer, UTC.", uplink.last_contact_ns),
        ("uplink_last_receipt_timestamp_seconds", "Last receipt, UTC.", uplink.last_receipt_ns),
    ):
        if at_ns is not None:
            yield _gauge(name, text, ((), _seconds(at_ns)))


def _clock_metrics(clock: ClockStatus) -> Iterable[Metric]:
    yield _gauge(
        "clock_state",
        "Where the wall clock comes from: 1 for the present state.",
        *(
            ((("state", name),), float(number == clock.state))
            for number, name in enumerate(CLOCK_STATES)
        ),
    )
    yield _gauge(
        "clock_skew_seconds",
        "How far the wall clock is ahead of the centre's for certain.",
        ((), _seconds(clock.skew_ns)),
    )
    if clock.error_ms is not None:
        yield _gauge(
            "clock_error_seconds", "Bound of the wall clock's error.", ((), clock.error_ms / 1000)
        )


def _gauge(name: str, text: str, *samples: tuple[Labels, float]) -> Metric:
    return Metric(name=name, kind="gauge", help=text, samples=samples)


def _counter(name: str, text: str, *samples: tuple[Labels, float]) -> Metric:
    return Metric(name=name, kind="counter", help=text, samples=samples)


def _seconds(ns: int) -> float:
    return ns / NS_PER_S


def _text(metric: Metric) -> str:
    name = PREFIX + metric.name
    head = f"# HELP {name} {metric.help}\n# TYPE {name} {metric.kind}\n"
    return head + "".join(
        f"{name}{_labels(labels)} {value!r}\n" for labels, value in metric.samples
    )


def _labels(labels: Sequence[tuple[str, str]]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
