"""The line to the instruments: one module per protocol behind one method, and the poller.

A protocol library is imported when a device first needs it, never before.
"""

from collections.abc import Iterable, Mapping
from importlib import import_module
from importlib.util import find_spec
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, cast

from edge_agent.drivers.base import Connect
from edge_agent.errors import ExitCode, OperatorError

if TYPE_CHECKING:
    from edge_agent.quality.trial import Decode

PROTOCOLS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "modbus": "edge_agent.drivers.modbus:connect",
        "dnp3": "edge_agent.drivers.dnp3:connect",
        "opcua": "edge_agent.drivers.opcua:connect",
        "mqtt": "edge_agent.drivers.mqtt:connect",
        "sparkplug": "edge_agent.drivers.sparkplug:connect",
        "bayern_hessen": "edge_agent.drivers.bayern_hessen:connect",
    }
)
# What each protocol makes of a test vector (`edge_agent.quality.trial`), without its library.
TRIALS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "modbus": "edge_agent.drivers.modbus_trial:decoded",
        "dnp3": "edge_agent.drivers.dnp3_trial:decoded",
        "opcua": "edge_agent.drivers.opcua_trial:decoded",
        "mqtt": "edge_agent.drivers.mqtt_trial:decoded",
        "sparkplug": "edge_agent.drivers.sparkplug_trial:decoded",
        "bayern_hessen": "edge_agent.drivers.bayern_hessen_trial:decoded",
    }
)


# The library that each protocol needs, which is also the name of its extra's first requirement.
LIBRARIES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "modbus": ("pymodbus", "modbus"),
        "dnp3": ("dnp3", "dnp3"),
        "opcua": ("asyncua", "opcua"),
        "mqtt": ("paho", "mqtt"),
        "sparkplug": ("paho", "mqtt"),
        "bayern_hessen": ("serial", "bayern-hessen"),
    }
)


def require_libraries(protocols: Iterable[str]) -> None:
    """Return if every protocol's library is installed; nothing is imported.

    Raises:
        OperatorError: one is not; names the extra that brings it.

    """
    missing = {
        f"{protocol} devices need {library}, which is not installed. "
        f"Install emissionwatch-edge[{extra}]"
        for protocol in protocols
        for library, extra in (LIBRARIES[protocol],)
        if find_spec(library) is None
    }
    if missing:
        raise OperatorError(*sorted(missing), exit_code=ExitCode.CONFIGURATION)


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
