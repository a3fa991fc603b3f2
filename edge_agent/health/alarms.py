"""Why a person should look at an agent, or why it cannot do its work; pure.

Every alarm is a named reason with the thing it is about; nothing here says only "unhealthy".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from edge_agent.health.status import (
        BufferStatus,
        ClockStatus,
        ConfigurationStatus,
        SalvageStatus,
        Snapshot,
    )

NS_PER_S: Final = 1_000_000_000
# A device that is silent for so long is an alarm; recording of the gap begins with the first
# missed poll. 40 CFR 60.13(e)(2) and 75.10(d)(1): one value at least in each 15 minutes.
SILENT_ALARM_NS: Final = 15 * 60 * NS_PER_S
# As long may the centre be out of reach before a person should know.
CENTRE_ALARM_NS: Final = 15 * 60 * NS_PER_S
NEARLY_FULL_PART: Final = 0.8
# Clock states of docs/wire-format.md section 2, by number.
CLOCK_STATES: Final = ("unset", "ntp", "ptp", "rtc", "holdover", "manual")


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One reason for a person to look."""

    reason: str
    """Constant, for machines."""
    subject: str
    """The device or part it is about."""
    text: str
    """One sentence, for people."""


def alarms(snapshot: Snapshot) -> tuple[Alarm, ...]:
    """Return every reason for a person to look, in a fixed order."""
    return (
        *_device_alarms(snapshot),
        *_buffer_alarms(snapshot.buffer),
        *_salvage_alarms(snapshot.buffer.salvage),
        *_hardware_alarms(snapshot),
        *_uplink_alarms(snapshot),
        *_clock_alarms(snapshot.clock),
        *_configuration_alarms(snapshot.configuration),
    )


def _device_alarms(snapshot: Snapshot) -> list[Alarm]:
    silent = [
        (device, snapshot.at_ns - device.gap_since_ns)
        for device in snapshot.devices
        if device.gap_since_ns is not None
        and snapshot.at_ns - device.gap_since_ns >= SILENT_ALARM_NS
    ]
    return [
        Alarm(
            reason="device_silent",
            subject=device.name,
            text=f"no answer for {silent_ns // (60 * NS_PER_S)} minutes: {device.last_error}",
        )
        for device, silent_ns in silent
    ]


_REFUSALS: Final = {
    "full": "the disk is full, nothing can be stored: free room on it",
    "readonly": "the disk is read-only, nothing can be stored: look at the kernel's log and mount",
    "failing": "the disk fails, nothing can be stored: look at the kernel's log, change the disk",
}


def _buffer_alarms(buffer: BufferStatus) -> list[Alarm]:
    return [*_refusals(buffer), *_quota_alarms(buffer), *_disk_alarms(buffer)]


def _refusals(buffer: BufferStatus) -> list[Alarm]:
    if not buffer.fault:
        return []
    text = _REFUSALS[buffer.fault]
    if buffer.volatile_readings:
        text += f"; {buffer.volatile_readings} readings are in memory only"
    return [Alarm(reason=f"storage_{buffer.fault}", subject="buffer", text=text)]


def _disk_alarms(buffer: BufferStatus) -> list[Alarm]:
    found: list[Alarm] = []
    if buffer.disk_level != "ample":
        text = f"{buffer.disk_free_bytes} bytes are free on the buffer's disk: free more"
        found.append(Alarm(reason="disk_low", subject="buffer", text=text))
    if buffer.lasts_days is not None and buffer.lasts_days < 1:
        text = f"the quota holds {24 * buffer.lasts_days:.1f} hours without a centre: raise it"
        found.append(Alarm(reason="quota_short", subject="buffer", text=text))
    if buffer.given_up_readings:
        text = f"{buffer.given_up_readings} readings were given up since the start: see loss events"
        found.append(Alarm(reason="readings_given_up", subject="buffer", text=text))
    return found


def _quota_alarms(buffer: BufferStatus) -> list[Alarm]:
    if buffer.is_full and not buffer.fault:
        return [
            Alarm(
                reason="buffer_full",
                subject="buffer",
                text="readings can no longer be stored: reach the centre or raise quota_mb",
            )
        ]
    if buffer.used_bytes >= NEARLY_FULL_PART * buffer.quota_bytes and buffer.unreceipted_bytes > (
        NEARLY_FULL_PART * buffer.quota_bytes
    ):
        return [
            Alarm(
                reason="buffer_nearly_full",
                subject="buffer",
                text=f"{buffer.unreceipted_bytes} of {buffer.quota_bytes} bytes wait for receipts",
            )
        ]
    return []


def _salvage_alarms(salvage: SalvageStatus) -> list[Alarm]:
    if not salvage.unseen:
        return []
    text = (
        f"{salvage.unseen} damaged buffers were set aside: {salvage.salvaged_batches} batches"
        f" brought back, {salvage.lost_batches} lost. See: edge-agent buffer info"
    )
    if salvage.reason is not None:
        text += f". It does not go on: {salvage.reason}"
    return [Alarm(reason="buffer_quarantined", subject="buffer", text=text)]


def _hardware_alarms(snapshot: Snapshot) -> list[Alarm]:
    if not snapshot.hardware_changed:
        return []
    names = ", ".join(snapshot.hardware_changed)
    text = f"not the machine of the last start: {names}. A card or board was replaced, or copied"
    return [Alarm(reason="hardware_changed", subject="hardware", text=text)]


def _uplink_alarms(snapshot: Snapshot) -> list[Alarm]:
    uplink = snapshot.uplink
    found = [
        Alarm(reason=f"uplink_{name}", subject="uplink", text=uplink.last_error or name)
        for name in uplink.alarms
    ]
    since_ns = uplink.last_contact_ns or snapshot.agent.started_ns
    is_waiting = snapshot.buffer.unreceipted_batches > 0
    if is_waiting and snapshot.at_ns - since_ns >= CENTRE_ALARM_NS:
        found.append(
            Alarm(
                reason="centre_unreachable",
                subject="uplink",
                text=f"no contact for {(snapshot.at_ns - since_ns) // (60 * NS_PER_S)} minutes:"
                f" {uplink.last_error or 'no reason known'}",
            )
        )
    return found


def _clock_alarms(clock: ClockStatus) -> list[Alarm]:
    found: list[Alarm] = []
    if clock.error_ms is None:
        text = f"the wall clock is {CLOCK_STATES[clock.state]}: its error is unknown"
        found.append(Alarm(reason="clock_untrusted", subject="clock", text=text))
    if clock.skew_ns:
        where = "ahead of" if clock.skew_ns > 0 else "behind"
        text = f"the wall clock is {abs(clock.skew_ns) / NS_PER_S:.1f} s {where} the centre's"
        found.append(Alarm(reason="clock_skewed", subject="clock", text=text))
    return found


def _configuration_alarms(configuration: ConfigurationStatus) -> list[Alarm]:
    found: list[Alarm] = []
    if configuration.rolled_back:
        text = f"the files of the configuration do not run: {configuration.rolled_back_why}"
        found.append(Alarm(reason="configuration_rolled_back", subject="configuration", text=text))
    if configuration.problems:
        text = f"the last reload was refused: {configuration.problems[0]}"
        found.append(Alarm(reason="configuration_refused", subject="configuration", text=text))
    return found


def unready(snapshot: Snapshot) -> tuple[str, ...]:
    """Return why the agent cannot do its work now: readings could not be made durable."""
    buffer = snapshot.buffer
    if buffer.fault:
        return (f"storage_{buffer.fault}",)
    return ("buffer_full",) if buffer.is_full else ()
