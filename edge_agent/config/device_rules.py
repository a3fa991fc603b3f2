"""What must agree between the settings of a device and its profile; pure functions."""

from collections.abc import Iterator
from decimal import Decimal
from urllib.parse import urlsplit

from edge_agent.config.device import Endpoint
from edge_agent.config.finding import written
from edge_agent.config.model import DeviceSettings, Limits
from edge_agent.config.profile import PointProfile, Profile
from edge_agent.config.profile_rules import address_misfits
from edge_agent.config.structure import KeyPath, Misfit, did_you_mean
from edge_agent.config.vocabulary import Addressing, WordOrder

MODBUS_TCP_PORT = 502  # Modbus Messaging on TCP/IP Implementation Guide V1.0b section 3.1.3
ENDPOINT_WORDS = "write it as tcp://HOST:PORT"


def endpoint_of(text: str) -> Endpoint | None:
    """Return where a device answers, or None if the text does not say."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    is_plain = not (parts.path or parts.query or parts.fragment or parts.username)
    if parts.scheme != "tcp" or not host or not is_plain or port == 0:
        return None
    return Endpoint(scheme="tcp", host=host, port=port or MODBUS_TCP_PORT)


def device_misfits(settings: DeviceSettings, profile: Profile) -> tuple[Misfit, ...]:
    """Return everything that keeps a device of this profile from running."""
    return (
        *_endpoint(settings),
        *_confirmations(settings, profile),
        *_points(settings, profile),
    )


def _endpoint(settings: DeviceSettings) -> Iterator[Misfit]:
    if endpoint_of(settings.endpoint) is None:
        message = f"'{settings.endpoint}' does not say where the device answers"
        yield Misfit(path=("endpoint",), message=message, remedy=ENDPOINT_WORDS)


def _confirmations(settings: DeviceSettings, profile: Profile) -> Iterator[Misfit]:
    facts = profile.modbus
    for key, in_profile, confirmed, unknown in (
        ("addressing", facts.addressing, settings.addressing, Addressing.UNKNOWN),
        ("word_order", facts.word_order, settings.word_order, WordOrder.UNKNOWN),
    ):
        known = ", ".join(word for word in type(unknown) if word != unknown)
        if confirmed is unknown:
            yield Misfit(
                path=(key,), message="unknown confirms nothing", remedy=f"write one of {known}"
            )
        elif in_profile is unknown and confirmed is None:
            yield Misfit(
                path=(key,),
                message=f"the documents behind {profile.id} do not say the {key}",
                remedy=f"compare a reading with the front panel and write {key} = one of {known}",
            )
        elif in_profile is not unknown and confirmed not in (None, in_profile):
            yield Misfit(
                path=(key,),
                message=f"the profile {profile.id} says {in_profile}",
                remedy=f"remove {key}, or correct the profile in profiles.d",
            )
    if facts.addressing is Addressing.UNKNOWN and settings.addressing is not None:
        yield from _impossible(settings.addressing, profile)


def _impossible(confirmed: Addressing, profile: Profile) -> Iterator[Misfit]:
    if confirmed is Addressing.UNKNOWN:
        return
    for misfit in address_misfits(profile, confirmed):
        place = written(misfit.path)
        yield Misfit(
            path=("addressing",),
            message=f"{confirmed} cannot be: the profile's {place}: {misfit.message}",
            remedy="compare a reading with the front panel once more",
        )


def _points(settings: DeviceSettings, profile: Profile) -> Iterator[Misfit]:
    for index, channel in enumerate(settings.channels):
        path: KeyPath = ("channels", index)
        point = profile.points.get(channel.point)
        if point is None:
            yield Misfit(
                path=(*path, "point"),
                message=f"the profile {profile.id} has no point '{channel.point}'",
                remedy=did_you_mean(channel.point, profile.points),
            )
            continue
        yield from _limits(channel.limits, point, (*path, "limits"))


def _limits(limits: Limits, point: PointProfile, path: KeyPath) -> Iterator[Misfit]:
    low = point.low if point.low is not None else Decimal("-inf")
    high = point.high if point.high is not None else Decimal("inf")
    for key, limit in (("low", limits.low), ("high", limits.high)):
        if limit is not None and not low <= limit <= high:
            yield Misfit(
                path=(*path, key),
                message=f"{limit} is outside {low} to {high}, what the analyzer can mean",
                remedy="write a limit inside, or correct the profile in profiles.d",
            )
        elif limit is not None and effective_limits_of(limits, point) is None:
            yield Misfit(
                path=(*path, key),
                message=f"{limit} leaves nothing between the limits, with {low} to {high} "
                "of the profile",
                remedy="write low below high",
            )


def effective_limits_of(limits: Limits, point: PointProfile) -> Limits | None:
    """Return the limits with what the profile says where the device says nothing."""
    low = limits.low if limits.low is not None else point.low
    high = limits.high if limits.high is not None else point.high
    if low is not None and high is not None and not low < high:
        return None
    return Limits(
        low=low,
        high=high,
        max_rate_per_s=limits.max_rate_per_s,
        stuck_after_s=limits.stuck_after_s,
        gap_after_s=limits.gap_after_s,
    )
