"""A device's settings and its profile made one: what the drivers read and the judge judges.

Pure; the settings have been checked against the profile before (`device_rules`).
"""

from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from sys import intern

from edge_agent.config.columns import Channels, PointFacts, Points
from edge_agent.config.device import Calibration, Device, StatusRule
from edge_agent.config.device_model import ChannelSettings, DeviceSettings
from edge_agent.config.device_parts import Limits, NotAvailable
from edge_agent.config.device_rules import effective_limits_of, endpoint_for
from edge_agent.config.library import LoadedProfile
from edge_agent.config.place import Spot
from edge_agent.config.profile import PointProfile, StatusProfile
from edge_agent.config.vocabulary import Role
from edge_agent.wire.bundle import ChannelFacts
from edge_agent.wire.vocabulary import Phase

CHECKS = frozenset({Phase.ZERO_CHECK, Phase.SPAN_CHECK, Phase.OTHER_CHECK_GAS})


def device_of(settings: DeviceSettings, loaded: LoadedProfile, *, facility: str) -> Device:
    """Return the device as the agent runs it.

    Args:
        settings: settings without misfits against the profile.
        loaded: the profile that the settings name.
        facility: the facility of channels that name none.

    Raises:
        ValueError: the settings have misfits.

    """
    profile, endpoint = loaded.profile, endpoint_for(settings, loaded.profile)
    if endpoint is None:
        raise ValueError(f"device {settings.name} has misfits")
    channels = sorted(settings.channels, key=lambda channel: channel.number)
    site = _Site(settings, loaded)
    points, facts, limits, rules = zip(*map(site.resolved, channels), strict=True)
    numbers = [channel.number for channel in channels]
    return Device(
        name=settings.name,
        protocol=profile.protocol,
        endpoint=endpoint,
        speech=profile.speech(settings),
        period_s=settings.period_s,
        timeout_s=settings.timeout_s,
        points=Points(numbers, _same_points(points)),
        channels=Channels(
            numbers,
            _same_facts(facts),
            device=settings.name,
            names=[channel.name for channel in channels],
            facilities=_same_words(tuple(channel.facility or facility for channel in channels)),
        ),
        limits=_same_limits(limits),
        status_rules=_same_rules(rules),
        identity=profile.identity_checks(settings),
        calibrations=site.calibrations(channels, rules),
        not_available=site.not_available(channels),
    )


class _Site:
    """One device with its profile, while its channels are resolved."""

    def __init__(self, settings: DeviceSettings, loaded: LoadedProfile) -> None:
        self._settings = settings
        self._profile = loaded.profile
        self._profile_hash = loaded.file_hash.hex()
        self._rules: dict[int, tuple[StatusRule, ...]] = {}

    def resolved(
        self, channel: ChannelSettings
    ) -> tuple[PointFacts, ChannelFacts, Limits, tuple[StatusRule, ...]]:
        point = self._profile.point(channel.point)
        if point is None:
            raise self._misfits()
        spot = self._profile.spot(self._settings, channel.point)
        read = PointFacts(place=spot.place, raw_type=point.raw_type, status=spot.status)
        row = self._row(channel, point, spot)
        return read, row, _effective(channel.limits, point), self._rules_of(channel.point)

    def calibrations(
        self, channels: Sequence[ChannelSettings], rules: Sequence[tuple[StatusRule, ...]]
    ) -> tuple[Calibration, ...]:
        """Return what is known of the checks of the measurements that can be in one."""
        indices = {channel.point: index for index, channel in enumerate(channels)}

        def index_of(channel: ChannelSettings, role: Role) -> int | None:
            fact = self._profile.fact_of(channel.point, role)
            return None if fact is None else indices.get(fact)

        return tuple(
            Calibration(
                index=index,
                span=channel.span,
                zero_reference=channel.zero_reference,
                span_reference=channel.span_reference,
                zero_reading_index=index_of(channel, Role.ZERO_READING),
                span_reading_index=index_of(channel, Role.SPAN_READING),
                zero_reference_index=index_of(channel, Role.ZERO_REFERENCE),
                span_reference_index=index_of(channel, Role.SPAN_REFERENCE),
            )
            for index, channel in enumerate(channels)
            if has_checks(rules[index])
            and (point := self._profile.point(channel.point)) is not None
            and point.role is Role.MEASUREMENT
        )

    def not_available(self, channels: Sequence[ChannelSettings]) -> tuple[NotAvailable | None, ...]:
        """Return the numbers that mean none, channel by channel; empty where there are none."""
        points = [self._profile.point(channel.point) for channel in channels]
        found = tuple(None if point is None else point.not_available for point in points)
        return found if any(found) else ()

    def _misfits(self) -> ValueError:
        return ValueError(f"device {self._settings.name} has misfits")

    def _row(self, channel: ChannelSettings, point: PointProfile, spot: Spot) -> ChannelFacts:
        parameter = channel.parameter or point.parameter
        unit_of_measure = channel.unit_of_measure
        if unit_of_measure is None:
            unit_of_measure = point.unit_of_measure
        if parameter is None or unit_of_measure is None:
            raise self._misfits()
        return ChannelFacts(
            parameter=parameter,
            unit_of_measure=unit_of_measure,
            raw_type=point.raw_type,
            word_order=spot.word_order,
            scale=plain(point.scale),
            offset=plain(point.offset),
            resolution=plain(channel.resolution or point.resolution),
            status_source=spot.status_source,
            profile=self._profile.id,
            profile_hash=self._profile_hash,
        )

    def _rules_of(self, point: str) -> tuple[StatusRule, ...]:
        """Return the rules of a point's status word: one object for all points that share it."""
        status = self._profile.status_of(point)
        if status is None:
            return ()
        if id(status) not in self._rules:
            self._rules[id(status)] = status_rules_of(status)
        return self._rules[id(status)]


def _effective(limits: Limits, point: PointProfile) -> Limits:
    effective = effective_limits_of(limits, point)
    if effective is None:
        raise ValueError(f"the limits {limits} have misfits")
    return effective


# A gateway may have 100,000 channels: what devices have in common is there once.
@lru_cache(maxsize=1024)
def _same_points(points: tuple[PointFacts, ...]) -> tuple[PointFacts, ...]:
    return points


@lru_cache(maxsize=1024)
def _same_facts(facts: tuple[ChannelFacts, ...]) -> tuple[ChannelFacts, ...]:
    return facts


@lru_cache(maxsize=1024)
def _same_limits(limits: tuple[Limits, ...]) -> tuple[Limits, ...]:
    return limits


@lru_cache(maxsize=1024)
def _same_rules(rules: tuple[tuple[StatusRule, ...], ...]) -> tuple[tuple[StatusRule, ...], ...]:
    return rules


@lru_cache(maxsize=1024)
def _same_words(words: tuple[str, ...]) -> tuple[str, ...]:
    return words


def plain(number: Decimal) -> str:
    """Return a decimal number as text without exponent, as the bundle writes it."""
    return intern(f"{number:f}")


def has_checks(rules: Sequence[StatusRule]) -> bool:
    """Return whether a status word can say that its analyzer is in a zero or span check."""
    return any(Phase(rule.quality >> 4 & 0xF) in CHECKS for rule in rules)


def status_rules_of(status: StatusProfile) -> tuple[StatusRule, ...]:
    """Return the rules of a status word; the one for all other words stands last."""
    rules = [
        StatusRule(mask=1 << int(bit, 0), value=1 << int(bit, 0), quality=meaning.quality)
        for bit, meaning in status.bits.items()
    ]
    rules += [
        StatusRule(mask=1 << int(bit, 0), value=0, quality=meaning.quality)
        for bit, meaning in status.clear_bits.items()
    ]
    if status.enum:
        first, width = status.enum_first_bit, status.enum_last_bit - status.enum_first_bit + 1
        mask = (1 << width) - 1 << first
        numbers = {int(number, 0): meaning for number, meaning in status.enum.items()}
        rules += [
            StatusRule(mask=mask, value=number << first, quality=meaning.quality)
            for number, meaning in sorted(numbers.items())
        ]
        if status.otherwise is not None:
            quality = status.otherwise.quality
            rules.append(StatusRule(mask=mask, value=0, quality=quality, is_otherwise=True))
    return tuple(rules)
