"""What a Modbus device must say of itself before its readings are taken."""

from edge_agent.config.device_model import ChannelSettings
from edge_agent.config.place import IdentityCheck
from edge_agent.config.protocols.modbus import Text
from edge_agent.config.protocols.modbus_addresses import register_count, word_order_of
from edge_agent.config.protocols.modbus_parts import Check, Identity, ModbusPoint
from edge_agent.config.protocols.modbus_rules import said_of
from edge_agent.config.protocols.modbus_wire import Wire


def width_of(identity: Identity) -> int:
    """Return how many registers it takes."""
    is_text = identity.raw_type == "text"
    return identity.registers if is_text else register_count(identity.raw_type)


def identity_check(name: str, identity: Identity, wire: Wire) -> IdentityCheck:
    """Return what registers must hold if the device is of the model."""
    register = wire.register(identity.table, identity.address)
    is_text = identity.raw_type == "text"
    return IdentityCheck(
        place=Text(register=register, count=identity.registers) if is_text else register,
        raw_type=identity.raw_type,
        word_order="" if is_text else word_order_of(identity.raw_type, wire.word_order),
        accepted=identity.texts or identity.numbers,
        meaning=f"identity.{name}",
    )


def code_check(
    channel: ChannelSettings, point: ModbusPoint, check: Check, wire: Wire, offset: int
) -> IdentityCheck:
    """Return the codes by which the device says of a value what the channel says.

    Args:
        channel: whose value it is.
        point: its point.
        check: where the device says it.
        wire: how the device counts.
        offset: from the registers of the first one of a block to those of the point.

    """
    said = said_of(check.of, channel, point)
    return IdentityCheck(
        place=wire.register(check.table, check.address + (0 if check.fixed else offset)),
        raw_type=check.raw_type,
        word_order=word_order_of(check.raw_type, wire.word_order),
        accepted=tuple(int(code, 0) for code, word in check.codes.items() if word == said),
        meaning=f"channel {channel.number}: {check.of} {said}",
    )
