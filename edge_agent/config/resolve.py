"""A device's settings and its profile made one: what the drivers read and the judge judges.

Pure; the settings have been checked against the profile before (`device_rules`).
"""

from decimal import Decimal

from edge_agent.config.device import Device, Point, StatusAt, StatusRule
from edge_agent.config.device_rules import effective_limits_of, endpoint_of
from edge_agent.config.library import LoadedProfile
from edge_agent.config.model import DeviceSettings, Limits
from edge_agent.config.profile import PointProfile, Profile, StatusProfile
from edge_agent.config.profile_rules import pdu_address, register_count
from edge_agent.config.vocabulary import Addressing, Table, WordOrder
from edge_agent.wire.bundle import ChannelRow


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
    addressing = settings.addressing or profile.modbus.addressing
    word_order = settings.word_order or profile.modbus.word_order
    if endpoint is None or WordOrder.UNKNOWN is word_order:
        raise ValueError(f"device {settings.name} has misfits")
    channels = sorted(settings.channels, key=lambda channel: channel.number)
    points = [(channel, profile.points[channel.point]) for channel in channels]
    return Device(
        name=settings.name,
        endpoint=endpoint,
        unit_id=settings.unit_id,
        period_s=settings.period_s,
        timeout_s=settings.timeout_s,
        max_registers_per_read=profile.modbus.max_registers_per_read,
        unreadable=tuple(
            (
                gap.table,
                address_of(gap.table, gap.first, addressing),
                address_of(gap.table, gap.last, addressing),
            )
            for gap in profile.modbus.unreadable
        ),
        points=tuple(
            Point(
                channel=channel.number,
                table=point.table,
                address=address_of(point.table, point.address, addressing),
                raw_type=point.raw_type,
                status=_status_at(point, profile, addressing),
            )
            for channel, point in points
        ),
        channels=tuple(
            ChannelRow(
                channel=channel.number,
                name=channel.name,
                facility=channel.facility or facility,
                device=settings.name,
                parameter=point.parameter,
                unit_of_measure=point.unit_of_measure,
                raw_type=point.raw_type,
                word_order=word_order_of(point.raw_type, word_order),
                scale=plain(point.scale),
                offset=plain(point.offset),
                resolution=plain(point.resolution),
                status_source=_status_source(point, profile, addressing),
                profile=profile.id,
                profile_hash=loaded.file_hash.hex(),
            )
            for channel, point in points
        ),
        limits=tuple(_effective(channel.limits, point) for channel, point in points),
        status_rules=tuple(
            status_rules_of(profile.status[point.status]) if point.status else ()
            for _, point in points
        ),
    )


def plain(number: Decimal) -> str:
    """Return a decimal number as text without exponent, as the bundle writes it."""
    return f"{number:f}"


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


def _status_at(point: PointProfile, profile: Profile, addressing: Addressing) -> StatusAt | None:
    if point.status is None:
        return None
    status = profile.status[point.status]
    address = address_of(status.table, status.address, addressing)
    return StatusAt(table=status.table, address=address)


def _status_source(point: PointProfile, profile: Profile, addressing: Addressing) -> str | None:
    at = _status_at(point, profile, addressing)
    return None if at is None else f"{at.table}:{at.address}"


def _effective(limits: Limits, point: PointProfile) -> Limits:
    effective = effective_limits_of(limits, point)
    if effective is None:
        raise ValueError("the limits have misfits")
    return effective
