"""What each protocol adds to a device: where its points are, and how the device is spoken to."""

from typing import TypeAlias

from edge_agent.config.protocols.modbus import ModbusSpeech, Register

# Every protocol says in its own words where a value is and how its device is spoken to.
Place: TypeAlias = Register
Speech: TypeAlias = ModbusSpeech
