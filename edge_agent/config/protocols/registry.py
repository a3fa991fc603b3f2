"""Which kind of profile goes with which protocol; its module loads when a profile is first read."""

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Final, cast

from edge_agent.config.profile import Profile

PROFILE_KINDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "modbus": "edge_agent.config.protocols.modbus_profile:ModbusProfile",
        "dnp3": "edge_agent.config.protocols.dnp3_profile:Dnp3Profile",
        "opcua": "edge_agent.config.protocols.opcua_profile:OpcuaProfile",
        "mqtt": "edge_agent.config.protocols.mqtt_profile:MqttProfile",
        "bayern_hessen": ("edge_agent.config.protocols.bayern_hessen_profile:BayernHessenProfile"),
        "sparkplug": "edge_agent.config.protocols.sparkplug_profile:SparkplugProfile",
    }
)
DEFAULT_PROTOCOL: Final = "modbus"


def profile_kind(protocol: str) -> type[Profile]:
    """Return the kind of profile of a protocol, importing its module.

    Raises:
        KeyError: there is no such protocol.

    """
    module_name, _, name = PROFILE_KINDS[protocol].partition(":")
    # import_module gives untyped names; a test holds every entry against Profile.
    return cast("type[Profile]", getattr(import_module(module_name), name))
