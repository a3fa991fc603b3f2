"""OPC UA: reads the variables of the devices behind one server, all of a device at once.

asyncua carries the session; a client that has failed is never used again. Only values are read:
there is no call here that writes, and none that calls a method.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from typing import Final, TypeVar

import numpy as np
from asyncua import ua
from asyncua.client.client import Client
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from asyncua.ua.uaerrors import UaError
from cryptography import x509

from edge_agent.clock import Clock
from edge_agent.config.device import Device
from edge_agent.config.protocols.opcua import Certificates, Node, OpcuaSpeech
from edge_agent.drivers.base import Connection, LinkClosedError, LinkLostError
from edge_agent.drivers.opcua_values import BAD_NODE_ID_UNKNOWN, Word, word_of
from edge_agent.wire.readings import Scan

AnswerT = TypeVar("AnswerT")

# The session dies so long after we did; the watchdog of the library asks for the state so often.
SESSION_MS: Final = 60_000
WATCHDOG_S: Final = 10.0
# 25,800 values a second in reads of 1,000, 21,500 in reads of 100, 715 one by one (asyncua 2.1).
NODES_PER_READ: Final = 1_000
# Server_ServerCapabilities_OperationLimits_MaxNodesPerRead, OPC 10000-6 annex A.3.
MAX_NODES_PER_READ: Final = ua.NodeId(ua.Int32(11705))


@asynccontextmanager
async def connect(devices: Sequence[Device], clock: Clock) -> AsyncIterator[Connection]:
    """Open a session with the server of these devices, and close it at the end.

    Raises:
        LinkClosedError: there was no session within the longest timeout of the devices.

    """
    timeout_s = max(device.timeout_s for device in devices)
    session = Session(str(devices[0].endpoint), _speech(devices[0]), timeout_s=timeout_s)
    await session.open()
    try:
        yield Connection(drivers=[OpcuaDevice(device, session, clock) for device in devices])
    finally:
        await session.close()


class Session:
    """One session with one server: a read at a time, each with its deadline."""

    def __init__(self, url: str, speech: OpcuaSpeech, *, timeout_s: float) -> None:
        self._url = url
        self._speech = speech
        self._timeout_s = timeout_s
        self._client = Client(url, timeout=timeout_s, watchdog_intervall=WATCHDOG_S)
        self._client.session_timeout = SESSION_MS
        self._namespaces: list[str] = []
        self._most = NODES_PER_READ
        self._is_lost = False

    async def open(self) -> None:
        """Open the session, and learn how the server counts its namespaces and what it limits.

        Raises:
            LinkClosedError: it could not be opened in time, or the server is not the one we trust.

        """
        client, speech = self._client, self._speech
        try:
            async with asyncio.timeout(self._timeout_s):
                if speech.user is not None:
                    client.set_user(speech.user)
                    if speech.password_file is not None:
                        text = await asyncio.to_thread(speech.password_file.read_text)
                        client.set_password(text.strip())
                if (files := speech.certificates) is not None:
                    client.application_uri = await asyncio.to_thread(_application_uri, files)
                    await client.set_security(
                        SecurityPolicyBasic256Sha256,
                        certificate=files.own_file,
                        private_key=files.own_key_file,
                        server_certificate=str(files.server_file),
                        mode=ua.MessageSecurityMode.SignAndEncrypt,
                    )
                await _plainly(client.connect())
                self._namespaces = await _plainly(client.get_namespace_array())
                limits = client.read_attributes([client.get_node(MAX_NODES_PER_READ)])
                (limit,) = await _plainly(limits)
        except (OSError, TimeoutError, UaError, ConnectionError, ValueError) as error:
            await self.close()
            raise LinkClosedError(f"{self._url}: {_said(error)}") from error
        if limit.Value is not None and isinstance(most := limit.Value.Value, int) and most:
            self._most = min(NODES_PER_READ, most)

    async def close(self) -> None:
        """Close the session, whatever its state."""
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._client.disconnect()
        except (OSError, TimeoutError, UaError, ConnectionError):
            # There is nobody left to say goodbye to.
            return

    def node_of(self, node: Node) -> ua.NodeId | None:
        """Return a variable as this server numbers it today; None: it has no such namespace."""
        if not node.namespace:
            return ua.NodeId.from_string(node.identifier)
        if node.namespace not in self._namespaces:
            return None
        index = self._namespaces.index(node.namespace)
        return ua.NodeId.from_string(f"ns={index};{node.identifier}")

    async def read(self, nodes: Sequence[ua.NodeId], timeout_s: float) -> list[ua.DataValue]:
        """Return what the server says of these variables, in their order.

        Raises:
            LinkLostError: no answer in time.
            LinkClosedError: the session is of no more use.

        """
        if self._is_lost:
            raise LinkClosedError(f"{self._url}: the session is closed")
        found: list[ua.DataValue] = []
        try:
            async with asyncio.timeout(timeout_s):
                for start in range(0, len(nodes), self._most):
                    part = nodes[start : start + self._most]
                    asked = [self._client.get_node(node) for node in part]
                    found += await _plainly(self._client.read_attributes(asked))
        except TimeoutError as error:
            raise LinkLostError(f"{self._url}: no answer within {timeout_s:g} s") from error
        except (OSError, UaError, ConnectionError) as error:
            self._is_lost = True
            raise LinkClosedError(f"{self._url}: {_said(error)}") from error
        return found


class OpcuaDevice:
    """The variables of one device."""

    def __init__(self, device: Device, session: Session, clock: Clock) -> None:
        self._device = device
        self._session = session
        self._clock = clock
        self._channel = np.array([point.channel for point in device.points], np.uint32)
        self._channel.flags.writeable = False
        self._raw_types = [point.raw_type for point in device.points]
        self._nodes = [session.node_of(_node(point.place)) for point in device.points]

    async def read(self) -> Scan:
        """Return the next scan: every variable with the StatusCode that the server gives it.

        Raises:
            LinkLostError: one of its kinds.

        """
        asked = [node for node in self._nodes if node is not None]
        answers = iter(await self._session.read(asked, self._device.timeout_s))
        arrival = self._clock.now()
        words = [
            word_of(raw_type, None, None, BAD_NODE_ID_UNKNOWN)
            if node is None
            else _word(raw_type, next(answers))
            for raw_type, node in zip(self._raw_types, self._nodes, strict=True)
        ]
        return Scan(
            device=self._device.name,
            at_ns=arrival.utc_ns,
            mono_ns=arrival.mono_ns,
            channel=self._channel,
            raw=np.array([word.raw for word in words], np.int64),
            status=np.array([word.status for word in words], np.uint32),
            transport=np.array([word.transport for word in words], np.uint32),
        )


def _word(raw_type: str, answer: ua.DataValue) -> Word:
    status = 0 if answer.StatusCode is None else answer.StatusCode.value
    variant = answer.Value
    value = None if variant is None else variant.Value
    if variant is None or not isinstance(value, (bool, int, float)):
        return word_of(raw_type, None, None, status)
    return word_of(raw_type, variant.VariantType.name, value, status)


def _speech(device: Device) -> OpcuaSpeech:
    if not isinstance(device.speech, OpcuaSpeech):
        raise TypeError(f"{device.name} is not behind an OPC UA server")
    return device.speech


def _node(place: object) -> Node:
    if not isinstance(place, Node):
        raise TypeError(f"{type(place).__name__} is no variable of an OPC UA server")
    return place


async def _plainly(asked: Awaitable[AnswerT]) -> AnswerT:
    """Return an answer; cancelled, be cancelled as asyncio knows it.

    asyncua 2.1 is cancelled with an error of its own (wait_for2) where an answer came in the same
    moment; asyncio.timeout takes that for a failure.
    """
    try:
        return await asked
    except asyncio.CancelledError as error:
        raise asyncio.CancelledError from error


def _application_uri(files: Certificates) -> str:
    """Return who our certificate says we are: a server compares it (OPC 10000-4 section 6.1.3)."""
    certificate = x509.load_der_x509_certificate(files.own_file.read_bytes())
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return str(names.get_values_for_type(x509.UniformResourceIdentifier)[0])
    except (x509.ExtensionNotFound, IndexError) as error:
        raise ValueError(f"{files.own_file}: a certificate without an application URI") from error


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__
