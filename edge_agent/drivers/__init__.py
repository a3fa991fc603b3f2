"""The line to the instruments: one module per protocol behind one method, and the poller.

A protocol library is imported when a device first needs it, never before.
"""

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, cast

from edge_agent.drivers.base import Connect

if TYPE_CHECKING:
    from edge_agent.quality.trial import Decode

PROTOCOLS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "modbus": "edge_agent.drivers.modbus:connect",
        "mqtt": "edge_agent.drivers.mqtt:connect",
        "sparkplug": "edge_agent.drivers.sparkplug:connect",
    }
)
# What each protocol makes of a test vector (`edge_agent.quality.trial`), without its library.
TRIALS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "modbus": "edge_agent.drivers.modbus_trial:decoded",
        "mqtt": "edge_agent.drivers.mqtt_trial:decoded",
        "sparkplug": "edge_agent.drivers.sparkplug_trial:decoded",
    }
)


def connector(protocol: str) -> Connect:
    """Return the `connect` of a protocol, importing its module.

    Raises:
        KeyError: there is no such protocol; the configuration check refuses it before this.

    """
    module_name, _, name = PROTOCOLS[protocol].partition(":")
    # import_module gives untyped names; a test holds every entry of PROTOCOLS against Connect.
    return cast("Connect", getattr(import_module(module_name), name))


def trial_decoder(protocol: str) -> "Decode":
    """Return what runs the test vectors of a protocol, importing its module.

    Raises:
        KeyError: there is no such protocol.

    """
    module_name, _, name = TRIALS[protocol].partition(":")
    return cast("Decode", getattr(import_module(module_name), name))
