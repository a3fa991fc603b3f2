"""What the running agent tells about itself: put together from its parts whenever somebody asks.

Nothing is kept here and nothing here is in the way of the line: every part is read where it is.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from importlib.metadata import version

import numpy as np

from edge_agent.buffer.records import Held
from edge_agent.buffer.store import Buffer
from edge_agent.clock import Clock
from edge_agent.committer import Committer
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
    Snapshot,
)
from edge_agent.health.systemd import Progress
from edge_agent.pipeline import Intake
from edge_agent.uplink.client import Uplink
from edge_agent.wire.bundle import ChannelRow
from edge_agent.wire.engineering import Scaling
from edge_agent.wire.events import Event
from edge_agent.wire.readings import Readings
from edge_agent.wire.vocabulary import NO_VALUE


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
    ) -> None:
        self.plan = plan
        self.configuration = ConfigurationStatus(edition=plan.edition)
        self.recent = intake.recent
        self._committer = committer
        self._uplink = uplink
        self._clock = clock
        self._version = version("emissionwatch-edge")
        self._started_ns = clock.now().utc_ns

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
        trust = self._clock.trust()
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
            buffer=_buffer_status(self._committer),
            uplink=self._uplink.status(),
            clock=ClockStatus(state=trust.state, error_ms=trust.error_ms),
            configuration=self.configuration,
        )

    def channels(self) -> Sequence[ChannelStatus]:
        """Return the last reading of every channel."""
        return [status for device in self.plan.devices for status in self._channels(device)]

    def events(self) -> Sequence[Mapping[str, Json]]:
        """Return the last events, newest last, as they were signed."""
        return [json.loads(event.line) for event in self.recent.events]

    def open_gap(self, device: Device) -> Event | None:
        """Return the last event of the gap of a device; None while it answers."""
        gap = self._gap(device)
        return None if gap is None or gap.fields["state"] == "closed" else gap

    def _gap(self, device: Device) -> Event | None:
        return self.recent.gaps.get(tuple(row.channel for row in device.channels))

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

    def _channels(self, device: Device) -> Sequence[ChannelStatus]:
        readings = self.recent.readings.get(device.name)
        is_stale = self.open_gap(device) is not None
        unread = [_unread(row, is_stale=is_stale) for row in device.channels]
        if readings is None:
            return unread
        values = _values(device, readings)
        place = {channel: index for index, channel in enumerate(readings.channel.tolist())}
        return [
            one
            if (at := place.get(one.channel)) is None
            else replace(
                one,
                at_ns=readings.at_ns,
                raw=int(readings.raw[at]),
                value=values[index],
                quality=int(readings.quality[at]),
                status=int(readings.status[at]),
            )
            for index, one in enumerate(unread)
        ]


def _unread(row: ChannelRow, *, is_stale: bool) -> ChannelStatus:
    """Return a channel before its first reading."""
    return ChannelStatus(
        channel=row.channel,
        name=row.name,
        facility=row.facility,
        device=row.device,
        parameter=row.parameter,
        unit_of_measure=row.unit_of_measure,
        raw_type=row.raw_type,
        word_order=row.word_order,
        is_stale=is_stale,
        at_ns=None,
        raw=None,
        value=None,
        quality=None,
        status=None,
    )


def _values(device: Device, readings: Readings) -> list[str | None]:
    """Return decimal text of each channel's value; None where raw, if any, says nothing."""
    channels = np.array([row.channel for row in device.channels], np.uint32)
    # The last readings may be of the configuration before, with other channels.
    is_known = np.isin(readings.channel, channels)
    where = np.searchsorted(channels, readings.channel[is_known])
    raw = np.zeros(len(channels), np.int64)
    raw[where] = readings.raw[is_known]
    integers, is_number = Scaling(device.channels).integers(raw)
    has_value = np.zeros(len(channels), np.bool_)
    has_value[where] = (readings.quality[is_known] & np.uint32(NO_VALUE)) == 0
    has_value &= is_number
    return [
        str(Decimal(int(integer)) * Decimal(row.resolution)) if is_there else None
        for integer, is_there, row in zip(integers, has_value, device.channels, strict=True)
    ]


def _buffer_status(committer: Committer[Buffer]) -> BufferStatus:
    buffer = committer.buffer
    backlog, usage, head = buffer.backlog(), buffer.usage(), buffer.head
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
    )
