"""One session with an OPC UA server: who we are, which server is the right one, what it is asked.

asyncua carries the session; a client that has failed is never used again. Only values are read and
subscribed to: there is no call here that writes, and none that calls a method.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Final, TypeAlias, TypeVar

from asyncua import ua
from asyncua.client.client import Client
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.uaerrors import BadMessageNotAvailable, UaError
from cryptography import x509

from edge_agent.config.protocols.opcua import Certificates, Node, OpcuaSpeech
from edge_agent.drivers.base import LinkClosedError, LinkLostError

AnswerT = TypeVar("AnswerT")
TakePublished: TypeAlias = Callable[[ua.PublishResult], Awaitable[None]]

# The session dies so long after we did; the watchdog of the library asks for the state so often.
SESSION_MS: Final = 60_000
WATCHDOG_S: Final = 10.0
# 25,800 values a second in reads of 1,000, 21,500 in reads of 100, 715 one by one (asyncua 2.1).
NODES_PER_READ: Final = 1_000
ITEMS_PER_CALL: Final = 1_000
# Server_ServerCapabilities_OperationLimits_..., OPC 10000-6 annex A.3: MaxNodesPerRead and
# MaxMonitoredItemsPerCall; 0: the server has no limit.
MAX_NODES_PER_READ: Final = ua.NodeId(ua.Int32(11705))
MAX_ITEMS_PER_CALL: Final = ua.NodeId(ua.Int32(11714))


class Session:
    """One session with one server: a read at a time, each with its deadline."""

    def __init__(self, url: str, speech: OpcuaSpeech, *, timeout_s: float) -> None:
        self._url = url
        self._speech = speech
        self._timeout_s = timeout_s
        self._client = Client(url, timeout=timeout_s, watchdog_intervall=WATCHDOG_S)
        self._client.session_timeout = SESSION_MS
        self._namespaces: list[str] = []
        self._nodes_per_read = NODES_PER_READ
        self._items_per_call = ITEMS_PER_CALL
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
                limits = [
                    client.get_node(limit) for limit in (MAX_NODES_PER_READ, MAX_ITEMS_PER_CALL)
                ]
                nodes, items = await _plainly(client.read_attributes(limits))
        except (OSError, TimeoutError, UaError, ConnectionError, ValueError) as error:
            await self.close()
            raise LinkClosedError(f"{self._url}: {_said(error)}") from error
        self._nodes_per_read = _least(NODES_PER_READ, nodes)
        self._items_per_call = _least(ITEMS_PER_CALL, items)

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

    def requests(self, nodes: Sequence[ua.NodeId]) -> list[ua.ReadParameters]:
        """Return the requests that read these variables, for `read`."""
        asked = [ua.ReadValueId(NodeId=node, AttributeId=AttributeIds.Value) for node in nodes]
        return [
            ua.ReadParameters(
                NodesToRead=list(part), TimestampsToReturn=ua.TimestampsToReturn.Source
            )
            for part in _parts(asked, self._nodes_per_read)
        ]

    async def read(
        self, requests: Sequence[ua.ReadParameters], timeout_s: float
    ) -> list[ua.DataValue]:
        """Return what the server says of the variables of some requests, in their order.

        Raises:
            LinkLostError: no answer in time.
            LinkClosedError: the session is of no more use.

        """
        found: list[ua.DataValue] = []
        async with self._deadline(timeout_s):
            for request in requests:
                found += await _plainly(self._client.uaclient.read(request))
        return found

    async def subscribe(
        self, asked: ua.CreateSubscriptionParameters, take: TakePublished
    ) -> ua.CreateSubscriptionResult:
        """Return what the server makes of a subscription; `take` gets everything it says.

        What was said is acknowledged when `take` returns.

        Raises:
            LinkClosedError: the server refuses, or does not answer.

        """
        async with self._deadline(self._timeout_s):
            return await _plainly(self._client.uaclient.create_subscription(asked, take))

    async def monitor(
        self, subscription_id: int, items: Sequence[ua.MonitoredItemCreateRequest]
    ) -> list[ua.MonitoredItemCreateResult]:
        """Return what the server makes of variables that are to be monitored, in their order.

        Raises:
            LinkClosedError: the server refuses all of them, or does not answer.

        """
        found: list[ua.MonitoredItemCreateResult] = []
        async with self._deadline(self._timeout_s):
            for part in _parts(items, self._items_per_call):
                parameters = ua.CreateMonitoredItemsParameters(
                    SubscriptionId=ua.IntegerId(subscription_id),
                    TimestampsToReturn=ua.TimestampsToReturn.Source,
                    ItemsToCreate=list(part),
                )
                found += await _plainly(self._client.uaclient.create_monitored_items(parameters))
        return found

    async def republished(self, subscription_id: int, number: int) -> ua.NotificationMessage:
        """Return a message that the server still keeps; without content if it does not.

        Raises:
            LinkLostError: one of its kinds.

        """
        asked = self._client.uaclient.session.republish(subscription_id, number)
        async with self._deadline(self._timeout_s):
            try:
                return await _plainly(asked)
            except BadMessageNotAvailable:
                return ua.NotificationMessage()

    @asynccontextmanager
    async def _deadline(self, timeout_s: float) -> AsyncIterator[None]:
        """Turn what goes wrong in the block into what a driver may raise.

        Raises:
            LinkLostError: no answer in time.
            LinkClosedError: the session is of no more use.

        """
        if self._is_lost:
            raise LinkClosedError(f"{self._url}: the session is closed")
        try:
            async with asyncio.timeout(timeout_s):
                yield
        except TimeoutError as error:
            raise LinkLostError(f"{self._url}: no answer within {timeout_s:g} s") from error
        except (OSError, UaError, ConnectionError) as error:
            self._is_lost = True
            raise LinkClosedError(f"{self._url}: {_said(error)}") from error


def _least(most: int, limit: ua.DataValue) -> int:
    said = None if limit.Value is None else limit.Value.Value
    return min(most, said) if isinstance(said, int) and said else most


def _parts(all_of: Sequence[AnswerT], most: int) -> Iterator[Sequence[AnswerT]]:
    return (all_of[start : start + most] for start in range(0, len(all_of), most))


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
