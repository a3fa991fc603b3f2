"""What must agree between the settings of a device and its profile; pure functions."""

from collections.abc import Iterator
from dataclasses import fields
from decimal import Decimal

from edge_agent.config.device_model import ChannelSettings, DeviceSettings
from edge_agent.config.device_parts import Limits
from edge_agent.config.endpoint import SERIAL, Endpoint, endpoint_of, written_as
from edge_agent.config.profile import PointProfile, Profile
from edge_agent.config.structure import KeyPath, Misfit, did_you_mean
from edge_agent.config.vocabulary import ConfirmedKey

# The keys of a device's file that every protocol has; the others are of one, or some.
COMMON_KEYS = frozenset(
    {"name", "profile", "endpoint", "period_s", "timeout_s", "channels", "confirmations", SERIAL}
)


def device_misfits(settings: DeviceSettings, profile: Profile) -> tuple[Misfit, ...]:
    """Return everything that keeps a device of this profile from running."""
    return (
        *_endpoint(settings, profile),
        *_serial(settings, profile),
        *_foreign_keys(settings, profile),
        *profile.device_misfits(settings),
        *_points(settings, profile),
        *_confirmed(settings, profile),
    )


def endpoint_for(settings: DeviceSettings, profile: Profile) -> Endpoint | None:
    """Return where the device of a profile answers, or None if its file does not say."""
    return endpoint_of(settings.endpoint, profile.SCHEMES, settings.serial or profile.serial)


def _endpoint(settings: DeviceSettings, profile: Profile) -> Iterator[Misfit]:
    line = settings.serial or profile.serial
    if endpoint_for(settings, profile) is not None:
        return
    is_serial = settings.endpoint.startswith(f"{SERIAL}:") and SERIAL in profile.SCHEMES
    if is_serial and line is None:
        yield Misfit(
            path=("endpoint",),
            message="a serial port, and nothing says how octets go over it",
            remedy="add [serial] with the baud and parity that the device is set to",
        )
        return
    if "@" in settings.endpoint:
        yield Misfit(
            path=("endpoint",),
            message="holds a user name or a password, and everybody may read an endpoint",
            remedy="remove what stands before the '@'; secrets are files",
        )
        return
    yield Misfit(
        path=("endpoint",),
        message=f"'{settings.endpoint}' does not say where the device answers",
        remedy=written_as(profile.SCHEMES),
    )


def _serial(settings: DeviceSettings, profile: Profile) -> Iterator[Misfit]:
    line, fixed = settings.serial, profile.serial
    if line is None:
        return
    if not settings.endpoint.startswith(f"{SERIAL}:"):
        yield Misfit(
            path=(SERIAL,),
            message="the endpoint is no serial port",
            remedy='remove [serial], or write endpoint = "serial:///dev/..."',
        )
    elif fixed is not None and line != fixed:
        yield Misfit(
            path=(SERIAL,),
            message=f"the device of {profile.id} can only do {fixed.baud} baud, {fixed.data_bits} "
            f"data bits, parity {fixed.parity}, {fixed.stop_bits} stop bits",
            remedy="remove [serial], or correct the profile in profiles.d",
        )


def _foreign_keys(settings: DeviceSettings, profile: Profile) -> Iterator[Misfit]:
    for key in fields(settings):
        is_known = key.name in COMMON_KEYS or key.name in profile.OWN_KEYS
        if not is_known and getattr(settings, key.name) != key.default:
            yield Misfit(
                path=(key.name,),
                message=f"means nothing to a device that speaks {profile.protocol}",
                remedy=f"remove {key.name}, or name another profile",
            )


def _points(settings: DeviceSettings, profile: Profile) -> Iterator[Misfit]:
    for index, channel in enumerate(settings.channels):
        path: KeyPath = ("channels", index)
        point = profile.point(channel.point)
        if point is None:
            yield Misfit(
                path=(*path, "point"),
                message=f"the profile {profile.id} has no point '{channel.point}'",
                remedy=did_you_mean(channel.point, profile.point_names()),
            )
            continue
        yield from _left_to_the_site(channel, point, path)
        yield from _limits(channel.limits, point, (*path, "limits"))


def _left_to_the_site(
    channel: ChannelSettings, point: PointProfile, path: KeyPath
) -> Iterator[Misfit]:
    """Yield what the channel must say because the profile does not, or must not because it does."""
    for key, in_profile, said in (
        ("parameter", point.parameter, channel.parameter),
        ("unit_of_measure", point.unit_of_measure, channel.unit_of_measure),
    ):
        if in_profile is None and said is None:
            yield Misfit(
                path=(*path, key),
                message=f"the profile leaves the {key} of {channel.point} to the site",
                remedy=f"write {key} as it is set at the device",
            )
        elif in_profile is not None and said is not None:
            yield Misfit(
                path=(*path, key),
                message=f"the profile says '{in_profile}'",
                remedy=f"remove {key}, or correct the profile in profiles.d",
            )
    if channel.resolution is not None and point.unit_of_measure is not None:
        yield Misfit(
            path=(*path, "resolution"),
            message=f"the profile says {point.resolution} {point.unit_of_measure}",
            remedy="remove resolution, or correct the profile in profiles.d",
        )


def _confirmed(settings: DeviceSettings, profile: Profile) -> Iterator[Misfit]:
    """Yield what somebody must stand for with a name, and confirmations of nothing."""
    numbers = {channel.number for channel in settings.channels}
    for index, one in enumerate(settings.confirmations):
        for at, number in enumerate(one.channels):
            if number not in numbers:
                yield Misfit(
                    path=("confirmations", index, "channels", at),
                    message=f"the device has no channel {number}",
                    remedy=f"it has {', '.join(map(str, sorted(numbers)))}",
                )
    units = [one for one in settings.confirmations if one.what is ConfirmedKey.UNIT_OF_MEASURE]
    for index, channel in enumerate(settings.channels):
        point = profile.point(channel.point)
        is_open = point is not None and point.unit_is_selectable
        if is_open and not any(not u.channels or channel.number in u.channels for u in units):
            yield Misfit(
                path=("channels", index),
                message=f"people can change the unit of {channel.point} at the device, and no "
                "register tells it",
                remedy="look at the front panel and add [[confirmations]] with what = "
                '"unit_of_measure", who, at and how',
            )


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
