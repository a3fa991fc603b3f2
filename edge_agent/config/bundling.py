"""The configuration bundle of a plan: what every batch names by its hash.

Says how raw words become values and how they were judged; never where a device or the centre
answers, and never a secret (docs/wire-format.md section 8).
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from hashlib import sha256

from edge_agent.config.device import Device
from edge_agent.config.device_model import DeviceSettings
from edge_agent.config.device_parts import Limits
from edge_agent.config.library import LoadedProfile
from edge_agent.config.model import AgentFile
from edge_agent.wire.bundle import bundle_bytes
from edge_agent.wire.canonical import JsonValue


def bundle_of(
    settings: AgentFile,
    written: Sequence[DeviceSettings],
    devices: Sequence[Device],
    loaded: Mapping[str, LoadedProfile],
) -> bytes:
    """Return the canonical bytes of the bundle."""
    rows = sorted((row for device in devices for row in device.channels), key=lambda r: r.channel)
    judging: dict[str, JsonValue] = {
        channel_key(row.channel): _limits(limits)
        for device in devices
        for row, limits in zip(device.channels, device.limits, strict=True)
    }
    return bundle_bytes(
        simulated=settings.gateway.simulated,
        channels=rows,
        judging=judging,
        agent=_agent(settings, written),
        profiles={
            profile_key(name): sha256(file.content).hexdigest()
            for one in loaded.values()
            for name, file in one.files.items()
        },
    )


def channel_key(number: int) -> str:
    """Return the key of a channel in `judging`: keys of canonical JSON begin with a letter."""
    return f"channel_{number}"


def profile_key(profile_id: str) -> str:
    """Return the key of a profile in `profiles`: canonical JSON knows neither '/' nor '-'."""
    return profile_id.replace("/", "__").replace("-", "_")


def _limits(limits: Limits) -> dict[str, JsonValue]:
    texts: dict[str, JsonValue] = {
        key: _decimal(limit)
        for key, limit in (
            ("low", limits.low),
            ("high", limits.high),
            ("max_rate_per_s", limits.max_rate_per_s),
            ("stuck_after_s", limits.stuck_after_s),
            ("gap_after_s", limits.gap_after_s),
        )
    }
    return texts


def _decimal(number: Decimal | float | None) -> str | None:
    """Return a number as decimal text; a float as the shortest decimal that reads as it."""
    return None if number is None else f"{Decimal(str(number)):f}"


def _agent(settings: AgentFile, written: Sequence[DeviceSettings]) -> dict[str, JsonValue]:
    buffer, centre = settings.buffer, settings.centre
    return {
        "commit_interval_s": _decimal(buffer.commit_interval_s),
        "quota_mb": buffer.quota_mb,
        "offline_duration_s": _decimal(buffer.offline_duration_s),
        "on_full": buffer.on_full.value,
        "upload_interval_s": _decimal(centre.upload_interval_s),
        "upload_readings": centre.upload_readings,
        "devices": [
            {
                "name": device.name,
                "profile": device.profile,
                "unit_id": 1 if device.unit_id is None else device.unit_id,
                "period_s": _decimal(device.period_s),
                "timeout_s": _decimal(device.timeout_s),
                "confirmations": [
                    {
                        "what": str(one.what),
                        "channels": list(one.channels),
                        "who": one.who,
                        "at": one.at,
                        "how": one.how,
                    }
                    for one in device.confirmations
                ],
            }
            for device in written
        ],
    }
