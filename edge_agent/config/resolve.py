"""A device's settings and its profile made one: what the drivers read and the judge judges.

Pure; the settings have been checked against the profile before (`device_rules`).
"""

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from sys import intern

from edge_agent.config.device import Device, Point, StatusRule
from edge_agent.config.device_rules import effective_limits_of, endpoint_of
from edge_agent.config.library import LoadedProfile
from edge_agent.config.model import ChannelSettings, DeviceSettings, Limits
from edge_agent.config.profile import PointProfile, Profile, StatusProfile
from edge_agent.config.profile_rules import pdu_address, register_count
from edge_agent.config.protocols.modbus import ModbusSpeech, Register
from edge_agent.config.vocabulary import Addressing, Table, WordOrder
from edge_agent.wire.bundle import ChannelRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed:
    """A profile, and how its registers are counted and read on this device."""

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
    confirmed = Confirmed(
        profile=profile,
        profile_hash=loaded.file_hash.hex(),
        addressing=settings.addressing or profile.modbus.addressing,
        word_order=settings.word_order or profile.modbus.word_order,
    )
    if endpoint is None or confirmed.word_order is WordOrder.UNKNOWN:
        raise ValueError(f"device {settings.name} has misfits")
    channels = sorted(settings.channels, key=lambda channel: channel.number)
    points = [(channel, profile.points[channel.point]) for channel in channels]
    rules = {name: status_rules_of(status) for name, status in profile.status.items()}
    return Device(
        name=settings.name,
        endpoint=endpoint,
        speech=_speech(settings, profile, confirmed.addressing),
        period_s=settings.period_s,
        timeout_s=settings.timeout_s,
        points=tuple(_point(channel, point, confirmed) for channel, point in points),
        channels=tuple(
            _row(channel, point, confirmed, device=settings.name, facility=facility)
            for channel, point in points
        ),
        limits=tuple(_effective(channel.limits, point) for channel, point in points),
        status_rules=tuple(rules[point.status] if point.status else () for _, point in points),
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


def _point(channel: ChannelSettings, point: PointProfile, confirmed: Confirmed) -> Point:
    return Point(
        channel=channel.number,
        place=confirmed.place(point),
        raw_type=point.raw_type,
        status=confirmed.status_at(point),
    )


def _row(
    channel: ChannelSettings,
    point: PointProfile,
    confirmed: Confirmed,
    *,
    device: str,
    facility: str,
) -> ChannelRow:
    status = confirmed.status_at(point)
    return ChannelRow(
        channel=channel.number,
        name=channel.name,
        facility=channel.facility or facility,
        device=device,
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
    return _shared(effective)


@lru_cache(maxsize=1024)
def _shared(limits: Limits) -> Limits:
    """Return the same object for equal limits: a gateway may have 100,000 channels."""
    return limits


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
