"""A device's settings and its profile made one: what the drivers read and the judge judges.

Pure; the settings have been checked against the profile before (`device_rules`).
"""

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from sys import intern

from edge_agent.config.columns import ChannelFacts, Channels, PointFacts, Points
from edge_agent.config.device import Device, StatusRule
from edge_agent.config.device_rules import effective_limits_of, endpoint_of
from edge_agent.config.library import LoadedProfile
from edge_agent.config.model import DeviceSettings, Limits
from edge_agent.config.profile import PointProfile, Profile, StatusProfile
from edge_agent.config.profile_rules import pdu_address, register_count
from edge_agent.config.protocols.modbus import ModbusSpeech, Register
from edge_agent.config.vocabulary import Addressing, Table, WordOrder


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Confirmed:
    """A profile, and how its registers are counted and read on some devices."""

    profile: Profile
    profile_hash: str
    addressing: Addressing
    word_order: WordOrder

    def place(self, place: PointProfile | StatusProfile) -> Register:
        """Return where on the wire a point or a status word is."""
        address = address_of(place.table, place.address, self.addressing)
        return Register(table=place.table, address=address)

    def status_at(self, point: PointProfile) -> Register | None:
        """Return where the status word of a point is, None if it has none."""
        return None if point.status is None else self.place(self.profile.status[point.status])


@lru_cache(maxsize=256)
def confirmed_of(loaded: LoadedProfile, addressing: Addressing, word_order: WordOrder) -> Confirmed:
    """Return a profile as some devices confirmed it: one object for all that agree."""
    return Confirmed(
        profile=loaded.profile,
        profile_hash=loaded.file_hash.hex(),
        addressing=addressing,
        word_order=word_order,
    )


def device_of(settings: DeviceSettings, loaded: LoadedProfile, *, facility: str) -> Device:
    """Return the device as the agent runs it.

    Args:
        settings: settings without misfits against the profile.
        loaded: the profile that the settings name.
        facility: the facility of channels that name none.

    Raises:
        ValueError: the settings have misfits.

    """
    profile, endpoint = loaded.profile, endpoint_of(settings.endpoint)
    confirmed = confirmed_of(
        loaded,
        settings.addressing or profile.modbus.addressing,
        settings.word_order or profile.modbus.word_order,
    )
    if endpoint is None or confirmed.word_order is WordOrder.UNKNOWN:
        raise ValueError(f"device {settings.name} has misfits")
    channels = sorted(settings.channels, key=lambda channel: channel.number)
    numbers = [channel.number for channel in channels]
    kind = _kind(confirmed, tuple(channel.point for channel in channels))
    return Device(
        name=settings.name,
        endpoint=endpoint,
        speech=_speech(settings, profile, confirmed.addressing),
        period_s=settings.period_s,
        timeout_s=settings.timeout_s,
        points=Points(numbers, kind.points),
        channels=Channels(
            numbers,
            kind.channels,
            device=settings.name,
            names=[channel.name for channel in channels],
            facilities=_same_words(tuple(channel.facility or facility for channel in channels)),
        ),
        limits=_same_limits(
            tuple(_effective(channel.limits, profile.points[channel.point]) for channel in channels)
        ),
        status_rules=kind.status_rules,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What devices with the same points of the same profile have in common."""

    points: tuple[PointFacts, ...]
    channels: tuple[ChannelFacts, ...]
    status_rules: tuple[tuple[StatusRule, ...], ...]


@lru_cache(maxsize=1024)
def _kind(confirmed: Confirmed, names: tuple[str, ...]) -> Kind:
    profile = confirmed.profile
    points = [profile.points[name] for name in names]
    rules = {name: status_rules_of(status) for name, status in profile.status.items()}
    return Kind(
        points=tuple(_point(point, confirmed) for point in points),
        channels=tuple(_channel(point, confirmed) for point in points),
        status_rules=tuple(rules[point.status] if point.status else () for point in points),
    )


def _speech(settings: DeviceSettings, profile: Profile, addressing: Addressing) -> ModbusSpeech:
    return ModbusSpeech(
        unit_id=settings.unit_id,
        max_registers_per_read=profile.modbus.max_registers_per_read,
        unreadable=tuple(
            (
                gap.table,
                address_of(gap.table, gap.first, addressing),
                address_of(gap.table, gap.last, addressing),
            )
            for gap in profile.modbus.unreadable
        ),
    )


def _point(point: PointProfile, confirmed: Confirmed) -> PointFacts:
    return PointFacts(
        place=confirmed.place(point),
        raw_type=point.raw_type,
        status=confirmed.status_at(point),
    )


def _channel(point: PointProfile, confirmed: Confirmed) -> ChannelFacts:
    status = confirmed.status_at(point)
    return ChannelFacts(
        parameter=point.parameter,
        unit_of_measure=point.unit_of_measure,
        raw_type=point.raw_type,
        word_order=word_order_of(point.raw_type, confirmed.word_order),
        scale=plain(point.scale),
        offset=plain(point.offset),
        resolution=plain(point.resolution),
        status_source=None if status is None else f"{status.table}:{status.address}",
        profile=confirmed.profile.id,
        profile_hash=confirmed.profile_hash,
    )


def _effective(limits: Limits, point: PointProfile) -> Limits:
    effective = effective_limits_of(limits, point)
    if effective is None:
        raise ValueError(f"the limits {limits} have misfits")
    return effective


# A gateway may have 100,000 channels: what is equal is there once.
@lru_cache(maxsize=1024)
def _same_limits(limits: tuple[Limits, ...]) -> tuple[Limits, ...]:
    return limits


@lru_cache(maxsize=1024)
def _same_words(words: tuple[str, ...]) -> tuple[str, ...]:
    return words


def plain(number: Decimal) -> str:
    """Return a decimal number as text without exponent, as the bundle writes it."""
    return intern(f"{number:f}")


def word_order_of(raw_type: str, word_order: WordOrder) -> str:
    """Return the word order of one value: of a single register only the bytes can be swapped."""
    if raw_type == "bool" or raw_type.startswith("bit"):
        return ""
    if register_count(raw_type) > 1:
        return word_order.value
    return "BADC" if word_order in (WordOrder.BADC, WordOrder.DCBA) else "ABCD"


def status_rules_of(status: StatusProfile) -> tuple[StatusRule, ...]:
    """Return the rules of a status word; the one for all other words stands last."""
    rules = [
        StatusRule(mask=1 << int(bit, 0), value=1 << int(bit, 0), quality=meaning.quality)
        for bit, meaning in status.bits.items()
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


def address_of(table: Table, printed: int, addressing: Addressing) -> int:
    """Return the address on the wire of a printed address that is known to be good.

    Raises:
        ValueError: the addressing is unknown, or the address is none.

    """
    address = pdu_address(table, printed, addressing)
    if address is None:
        raise ValueError(f"{printed} is no {addressing} address of the table {table}")
    return address
