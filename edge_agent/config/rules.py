"""What must agree between the files of a gateway; pure functions that return what does not."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from edge_agent.config.device_model import ChannelSettings, DeviceSettings
from edge_agent.config.device_rules import endpoint_for
from edge_agent.config.endpoint import SERIAL, Endpoint
from edge_agent.config.finding import Finding
from edge_agent.config.model import BATCH_BYTES, MEGABYTE, READING_BYTES, AgentFile
from edge_agent.config.profile import Profile
from edge_agent.config.structure import KeyPath

MOST_FACILITIES = 25  # one gateway serves 1 to 25 facilities (docs/configuration.md)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceFile:
    """The settings of a device, the file they were read from, and its profile where it is good."""

    file: str
    settings: DeviceSettings
    profile: Profile | None


def gateway_findings(
    agent: AgentFile, agent_file: str, devices: Sequence[DeviceFile]
) -> tuple[Finding, ...]:
    """Return what does not agree between agent.toml and the files of the devices."""
    return (
        *_facilities(agent, agent_file, devices),
        *_simulated(agent, agent_file, devices),
        *_quota(agent, agent_file, devices),
    )


def device_findings(devices: Sequence[DeviceFile]) -> tuple[Finding, ...]:
    """Return what does not agree between the files of the devices."""
    return (
        *_device_names(devices),
        *_shared_endpoints(devices),
        *_channel_numbers(devices),
        *_channel_names(devices),
    )


def _device_names(devices: Sequence[DeviceFile]) -> Iterator[Finding]:
    first: dict[str, str] = {}
    for device in devices:
        name = device.settings.name
        if name in first:
            yield Finding(
                file=device.file,
                path=("name",),
                message=f"'{name}' is the name of the device in {first[name]} too",
                remedy="give every device a name of its own",
            )
        first.setdefault(name, device.file)


def _shared_endpoints(devices: Sequence[DeviceFile]) -> Iterator[Finding]:
    """Yield devices that share an endpoint, and do not agree on what only one of them can decide.

    One connection serves them all: it speaks one protocol, and is opened in one way.
    """
    first: dict[Endpoint, DeviceFile] = {}
    for device in devices:
        settings, profile = device.settings, device.profile
        endpoint = None if profile is None else endpoint_for(settings, profile)
        if profile is None or endpoint is None:
            continue
        other = first.setdefault(replace(endpoint, line=None), device)
        if other.profile is None:
            continue
        if other.profile.protocol != profile.protocol:
            yield Finding(
                file=device.file,
                path=("endpoint",),
                message=f"{other.file} speaks {other.profile.protocol} there, not "
                f"{profile.protocol}",
                remedy="correct the endpoint of one of them",
            )
            continue
        for key in sorted(profile.SHARED_KEYS):
            mine, theirs = getattr(settings, key), getattr(other.settings, key)
            if key == SERIAL:
                mine, theirs = mine or profile.serial, theirs or other.profile.serial
            if mine != theirs:
                yield Finding(
                    file=device.file,
                    path=(key,),
                    message=f"differs from that of {other.file}, which shares the connection",
                    remedy="write the same in both",
                )


def _channels(devices: Sequence[DeviceFile]) -> Iterator[tuple[str, KeyPath, ChannelSettings]]:
    for device in devices:
        for index, channel in enumerate(device.settings.channels):
            yield device.file, ("channels", index), channel


def _channel_numbers(devices: Sequence[DeviceFile]) -> Iterator[Finding]:
    first: dict[int, str] = {}
    unused = 1 + max((channel.number for _, _, channel in _channels(devices)), default=0)
    for file, path, channel in _channels(devices):
        if channel.number in first:
            yield Finding(
                file=file,
                path=(*path, "number"),
                message=f"channel {channel.number} is also in {first[channel.number]}",
                remedy=f"a number is given once; the next unused one here is {unused}",
            )
        first.setdefault(channel.number, file)


def _channel_names(devices: Sequence[DeviceFile]) -> Iterator[Finding]:
    for device in devices:
        for key in ("name", "point"):
            seen: set[str] = set()
            for index, channel in enumerate(device.settings.channels):
                word = channel.name if key == "name" else channel.point
                if word in seen:
                    yield Finding(
                        file=device.file,
                        path=("channels", index, key),
                        message=f"'{word}' is the {key} of another channel of the device",
                        remedy=f"give every channel of a device a {key} of its own",
                    )
                seen.add(word)


def _facilities(
    agent: AgentFile, agent_file: str, devices: Sequence[DeviceFile]
) -> Iterator[Finding]:
    allowed = agent.gateway.facilities
    named = {agent.gateway.facility, *allowed}
    if allowed and agent.gateway.facility not in allowed:
        yield Finding(
            file=agent_file,
            path=("gateway", "facility"),
            message=f"'{agent.gateway.facility}' is not among facilities {', '.join(allowed)}",
            remedy="name one of them, or add it to gateway.facilities or FACILITY_IDS",
        )
    for file, path, channel in _channels(devices):
        if channel.facility is None:
            continue
        named.add(channel.facility)
        if allowed and channel.facility not in allowed:
            yield Finding(
                file=file,
                path=(*path, "facility"),
                message=f"'{channel.facility}' is not among facilities {', '.join(allowed)}",
                remedy="name one of them, or add it to gateway.facilities or FACILITY_IDS",
            )
    if len(named) > MOST_FACILITIES:
        yield Finding(
            file=agent_file,
            path=("gateway", "facilities"),
            message=f"{len(named)} facilities on one gateway; it serves {MOST_FACILITIES} at most",
            remedy="give some of them a gateway of their own",
        )


def _simulated(
    agent: AgentFile, agent_file: str, devices: Sequence[DeviceFile]
) -> Iterator[Finding]:
    simulators = [
        device.settings.name
        for device in devices
        if device.profile is not None and device.profile.is_simulator
    ]
    if simulators and not agent.gateway.simulated:
        yield Finding(
            file=agent_file,
            path=("gateway", "simulated"),
            message=f"false, and the profile of {', '.join(simulators)} is of a simulator",
            remedy="write simulated = true, or name the profile of a real analyzer",
        )


def _quota(agent: AgentFile, agent_file: str, devices: Sequence[DeviceFile]) -> Iterator[Finding]:
    buffer = agent.buffer
    readings_per_s = sum(
        len(device.settings.channels) / device.settings.period_s for device in devices
    )
    bytes_per_s = readings_per_s * READING_BYTES + BATCH_BYTES / buffer.commit_interval_s
    needed_mb = int(bytes_per_s * buffer.offline_duration_s / MEGABYTE) + 1
    if needed_mb > buffer.quota_mb:
        yield Finding(
            file=agent_file,
            path=("buffer", "quota_mb"),
            message=f"{readings_per_s:g} readings a second for {buffer.offline_duration_s:.0f} s "
            f"without a centre need about {needed_mb} MB, the quota is {buffer.quota_mb}",
            remedy="raise quota_mb, or lower offline_duration_s",
        )
