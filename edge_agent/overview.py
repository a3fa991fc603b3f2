"""What the running agent tells about itself: put together from its parts whenever somebody asks.

Nothing is kept here and nothing here is in the way of the line: every part is read where it is.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from typing import Self

import numpy as np

from edge_agent.buffer.records import Held
from edge_agent.buffer.salvage import Salvage
from edge_agent.buffer.store import Buffer
from edge_agent.clock import Clock
from edge_agent.committer import Committer
from edge_agent.config.columns import numbers_of
from edge_agent.config.plan import Device, Plan
from edge_agent.health.pages import Sources
from edge_agent.health.status import (
    AgentStatus,
    BufferStatus,
    ChannelStatus,
    ClockStatus,
    ConfigurationStatus,
    DeviceStatus,
    Json,
    SalvageStatus,
    Snapshot,
)
from edge_agent.health.systemd import Progress
from edge_agent.health.wear import per_day, written_bytes
from edge_agent.pipeline import Intake
from edge_agent.uplink.client import Uplink
from edge_agent.wire.engineering import Scaling
from edge_agent.wire.events import Event
from edge_agent.wire.readings import Readings
from edge_agent.wire.vocabulary import NO_VALUE, BoolArray, Int64Array, UInt32Array


class Overview:
    """The status of an agent, as the local HTTP shows it."""

    def __init__(
        self,
        plan: Plan,
        intake: Intake,
        committer: Committer[Buffer],
        uplink: Uplink[Held],
        *,
        clock: Clock,
        software: str = "development",
    ) -> None:
        self.plan = plan
        self.scalings: Mapping[str, Scaling] = {}
        self.configuration = ConfigurationStatus(edition=plan.edition)
        self.salvage: Callable[[], Salvage] = Salvage
        self.recent = intake.recent
        self._committer = committer
        self._uplink = uplink
        self._clock = clock
        self._version = software
        now = clock.now()
        self._started_ns, self._started_mono_ns = now.utc_ns, now.mono_ns
        self.lasts_days: float | None = None

    def sources(self, progress: Progress) -> Sources:
        """Return what the local HTTP shows."""
        return Sources(
            snapshot=self.snapshot,
            channels=self.channels,
            events=self.events,
            stalled=lambda: progress.stalled(now_ns=self._clock.now().mono_ns),
        )

    def snapshot(self) -> Snapshot:
        """Return how the agent is doing now."""
        trust, uplink = self._clock.trust(), self._uplink.status()
        return Snapshot(
            at_ns=self._clock.now().utc_ns,
            agent=AgentStatus(
                version=self._version,
                gateway_id=self.plan.settings.gateway.id,
                config_hash=self.plan.config_hash,
                started_ns=self._started_ns,
                is_simulated=self.plan.settings.gateway.simulated,
            ),
            devices=tuple(map(self._device, self.plan.devices)),
            buffer=self._buffer(),
            uplink=uplink,
            clock=ClockStatus(
                state=trust.state, error_ms=trust.error_ms, skew_ns=uplink.clock_skew_ns
            ),
            configuration=self.configuration,
            hardware_changed=self.recent.hardware_changed,
        )

    def channels(self) -> Iterator[ChannelStatus]:
        """Yield the last reading of every channel."""
        for device in self.plan.devices:
            yield from self._channels(device)

    def events(self) -> Sequence[Mapping[str, Json]]:
        """Return the last events, newest last, as they were signed."""
        return [json.loads(event.line) for event in self.recent.events]

    def open_gap(self, device: Device) -> Event | None:
        """Return the last event of the gap of a device; None while it answers."""
        gap = self._gap(device)
        return None if gap is None or gap.fields["state"] == "closed" else gap

    def _buffer(self) -> BufferStatus:
        written = written_bytes()
        elapsed_ns = self._clock.now().mono_ns - self._started_mono_ns
        return replace(
            _buffer_status(self._committer, self.salvage()),
            lasts_days=self.lasts_days,
            written_bytes=written,
            written_bytes_per_day=per_day(written, elapsed_ns),
        )

    def _gap(self, device: Device) -> Event | None:
        return self.recent.gaps.get(tuple(numbers_of(device.channels)))

    def _device(self, device: Device) -> DeviceStatus:
        readings = self.recent.readings.get(device.name)
        gap, is_open = self._gap(device), self.open_gap(device) is not None
        fields = gap.fields if gap is not None else {}
        return DeviceStatus(
            name=device.name,
            endpoint=str(device.endpoint),
            last_ok_ns=readings.at_ns if readings is not None else None,
            misses=int(str(fields.get("missed", 0))),
            gap_since_ns=int(str(fields["from_ns"])) if is_open else None,
            last_error=str(fields["reason"]) if is_open else None,
        )

    def _channels(self, device: Device) -> Iterator[ChannelStatus]:
        """Yield the last reading of every channel of a device."""
        rows = tuple(device.channels)
        last = _Last.of(numbers_of(device.channels), self.recent.readings.get(device.name))
        scaling = self.scalings.get(device.name) or Scaling(rows)
        integers, is_number = (part.tolist() for part in scaling.integers(last.raw))
        is_there, has_value = last.is_there.tolist(), last.has_value.tolist()
        raw, status, quality = (part.tolist() for part in (last.raw, last.status, last.quality))
        is_stale = self.open_gap(device) is not None
        for at, row in enumerate(rows):
            value = None
            if has_value[at] and is_number[at]:
                value = str(Decimal(integers[at]) * Decimal(row.resolution))
            yield ChannelStatus(
                channel=row.channel,
                name=row.name,
                facility=row.facility,
                device=row.device,
                parameter=row.parameter,
                unit_of_measure=row.unit_of_measure,
                at_ns=last.at_ns if is_there[at] else None,
                raw=raw[at] if is_there[at] else None,
                value=value,
                quality=quality[at] if is_there[at] else None,
                status=status[at] if is_there[at] else None,
                is_stale=is_stale,
                raw_type=row.raw_type,
                word_order=row.word_order,
            )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Last:
    """The last readings of a device, in the order of its channels; 0 where there is none."""

    at_ns: int
    is_there: BoolArray
    has_value: BoolArray
    raw: Int64Array
    status: UInt32Array
    quality: UInt32Array

    @classmethod
    def of(cls, numbers: Sequence[int], readings: Readings | None) -> Self:
        """Return the readings of these channels; others are of the configuration before."""
        channels = np.array(numbers, np.uint32)
        is_there, has_value = (np.zeros(len(channels), np.bool_) for _ in range(2))
        raw = np.zeros(len(channels), np.int64)
        status, quality = (np.zeros(len(channels), np.uint32) for _ in range(2))
        if readings is not None:
            is_known = np.isin(readings.channel, channels)
            where = np.searchsorted(channels, readings.channel[is_known])
            is_there[where] = True
            raw[where] = readings.raw[is_known]
            status[where], quality[where] = readings.status[is_known], readings.quality[is_known]
            has_value = is_there & ((quality & np.uint32(NO_VALUE)) == 0)
        return cls(
            at_ns=0 if readings is None else readings.at_ns,
            is_there=is_there,
            has_value=has_value,
            raw=raw,
            status=status,
            quality=quality,
        )


def _buffer_status(committer: Committer[Buffer], salvage: Salvage) -> BufferStatus:
    buffer = committer.buffer
    backlog, usage, head = buffer.backlog(), buffer.usage(), buffer.head
    storage = buffer.storage()
    return BufferStatus(
        batches=buffer.counters.batches,
        readings=head.header.next_seq if head is not None else 0,
        unreceipted_batches=backlog.unreceipted_count,
        unreceipted_readings=backlog.readings,
        unreceipted_bytes=backlog.size_bytes,
        oldest_unreceipted_ns=backlog.oldest.wall_ns if backlog.oldest is not None else None,
        used_bytes=usage.used_bytes,
        quota_bytes=usage.quota_bytes,
        is_full=committer.is_blocked,
        chain_id=head.header.chain_id if head is not None else None,
        batch_no=head.header.batch_no if head is not None else None,
        fault=committer.fault or "",
        volatile_readings=storage.volatile_readings,
        given_up_readings=buffer.counters.given_up_readings,
        disk_free_bytes=storage.free_bytes,
        disk_level=storage.level.name.lower(),
        has_ballast=storage.has_ballast,
        salvage=SalvageStatus(**asdict(salvage)),
    )
