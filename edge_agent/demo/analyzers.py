"""The analyzers of a demonstration: which simulator each needs, and the file of its device."""

from dataclasses import dataclass
from typing import Final

from edge_agent.config.library import device_file


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """The stacks that speak one protocol.

    Attributes:
        protocol: what they speak.
        profile: of each of them.
        port: that of the first, where it is free.
        count: how many stacks.
        endpoint: of a stack, with its port in it.
        is_brokered: whether all of them are behind the first port.
        keys: what else their files need, with the number of the stack in it.

    """

    protocol: str
    profile: str
    port: int
    count: int
    endpoint: str
    is_brokered: bool = False
    keys: str = ""

    def file(self, number: int, *, port: int, first_channel: int) -> str:
        """Return the file of one device.

        Args:
            number: of the stack, from 1.
            port: of the first stack.
            first_channel: the number of its first channel.

        """
        own_port = port if self.is_brokered else port + number - 1
        head, channels, rest = device_file(
            self.profile,
            name=self.name(number),
            endpoint=self.endpoint.format(port=own_port),
            first_channel=first_channel,
        ).partition("\n[[channels]]")
        return head + self.keys.format(number=number) + channels + rest

    def name(self, number: int) -> str:
        """Return the name of a device."""
        return f"{self.protocol}-{number}"


SIMULATED: Final = (
    Simulated(
        protocol="modbus",
        profile="emissionwatch/simulated-stack",
        port=5020,
        count=2,
        endpoint="tcp://127.0.0.1:{port}",
    ),
    Simulated(
        protocol="opcua",
        profile="emissionwatch/simulated-opcua",
        port=4840,
        count=1,
        endpoint="opc.tcp://127.0.0.1:{port}",
    ),
    Simulated(
        protocol="dnp3",
        profile="emissionwatch/simulated-dnp3",
        port=20000,
        count=1,
        endpoint="tcp://127.0.0.1:{port}",
        keys='dnp3.address = 10\ndnp3.events = "unsolicited"\n',
    ),
    Simulated(
        protocol="mqtt",
        profile="emissionwatch/simulated-mqtt",
        port=1883,
        count=1,
        endpoint="mqtt://127.0.0.1:{port}",
        is_brokered=True,
        keys='broker.client_id = "demo-mqtt"\nmqtt.root = "plant/stack-{number}"\n',
    ),
    Simulated(
        protocol="sparkplug",
        profile="emissionwatch/simulated-spb",
        port=1884,
        count=1,
        endpoint="mqtt://127.0.0.1:{port}",
        is_brokered=True,
        # The node was born before the agent was there, and brokers do not keep births.
        keys=(
            'broker.client_id = "demo-sparkplug"\n'
            'sparkplug.group = "plant"\nsparkplug.node = "stack-{number}"\n'
            'sparkplug.device = "stack"\nsparkplug.may_request_rebirth = true\n'
        ),
    ),
    Simulated(
        protocol="bayern_hessen",
        profile="emissionwatch/simulated-bh",
        port=5030,
        count=1,
        endpoint="tcp://127.0.0.1:{port}",
        keys="bayern_hessen.address = 1\n",
    ),
)
