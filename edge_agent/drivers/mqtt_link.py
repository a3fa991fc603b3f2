"""One session at an MQTT broker: messages as they came, acknowledged when the caller says so.

paho-mqtt does the talking in a thread of its own; what it hears crosses to the event loop in order.
Of a persistent session the broker keeps what was not acknowledged and sends it once more. The queue
is bounded: when it is full the thread stops reading the socket, and nothing is acknowledged.
"""

import asyncio
import socket
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ssl import SSLError
from typing import Final, TypeVar

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge_agent.clock import NS_PER_S, Clock, Instant
from edge_agent.config.device import Endpoint
from edge_agent.config.protocols.mqtt import Login
from edge_agent.drivers.base import LinkClosedError

KEEPALIVE_S: Final = 15
# Messages that wait here; the broker's own window of unacknowledged messages is mostly smaller.
QUEUE: Final = 1024
# So many go into one commit at most.
PORTION: Final = 256
# What a farewell may take; a broker that does not read it is left without one.
FAREWELL_S: Final = 0.5
# While the queue is full, the thread looks so often whether the link is being closed.
LOOK_S: Final = 0.1
QOS: Final = 1
# MQTT 3.1.1, section 3.9.3: the return code of a topic that the broker refuses.
REFUSED: Final = 0x80

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message as the broker sent it.

    Attributes:
        topic: whole; empty where it was not UTF-8.
        payload: as sent.
        number: packet identifier; 0 with QoS 0.
        qos: 0: it cannot be acknowledged, and is not sent again.
        is_repeat: the broker says that it has sent it before (DUP).
        is_retained: it is not news, but what the broker kept for new subscribers.
        arrival: when it came.
    """

    topic: str
    payload: bytes
    number: int
    qos: int
    is_repeat: bool
    is_retained: bool
    arrival: Instant


class Link:
    """One connection to a broker, from `open` to `close`; never used twice.

    `name` is that of the session, `is_persistent` whether the broker is to keep it. A broker that
    says nothing is taken for dead after twice `keepalive_s`.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        login: Login,
        *,
        clock: Clock,
        timeout_s: float,
        is_persistent: bool,
        keepalive_s: int = KEEPALIVE_S,
    ) -> None:
        self.name = f"{endpoint} {login.client_id}"
        self._endpoint = endpoint
        self._login = login
        self._clock = clock
        self._timeout_s = timeout_s
        self._keepalive_s = keepalive_s
        self._loop = asyncio.get_running_loop()
        self._queue: deque[Message] = deque()
        self._room = threading.Semaphore(QUEUE)
        self._given: list[Message] = []
        self._changed = asyncio.Event()
        self._is_closing = False
        self._has_ended = threading.Event()
        self._end: str | None = None
        self._granted: Sequence[int] | None = None
        self._heard: dict[str, int] = {}
        self._client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=login.client_id,
            clean_session=not is_persistent,
            protocol=MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        self._client.connect_timeout = timeout_s
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.on_disconnect = self._on_disconnect

    async def open(self, topics: Sequence[str]) -> frozenset[str]:
        """Connect and subscribe; return the topics that the broker refuses.

        Raises:
            LinkClosedError: there was no session within the timeout.

        """
        until_ns = self._clock.now().mono_ns + round(self._timeout_s * NS_PER_S)
        self._topics = list(dict.fromkeys(topics))
        try:
            await asyncio.to_thread(self._connect)
        except (OSError, SSLError, ValueError) as error:
            raise LinkClosedError(f"{self._endpoint}: no connection: {error}") from error
        while self._granted is None and self._end is None:
            if self._clock.now().mono_ns >= until_ns:
                raise LinkClosedError(f"{self._endpoint}: no session within {self._timeout_s:g} s")
            self._changed.clear()
            await self._clock.wait(self._changed, until_ns)
        if self._granted is None:
            raise LinkClosedError(f"{self._endpoint}: {self._end}")
        granted = zip(self._topics, self._granted, strict=True)
        return frozenset(topic for topic, code in granted if code >= REFUSED)

    async def close(self) -> None:
        """Say farewell and end the thread, within a limit."""
        self._is_closing = True
        await asyncio.to_thread(self._finish)

    @property
    def end(self) -> str | None:
        """Why the link is of no more use; None while it is."""
        return self._end

    def heard_mono_ns(self, topic: str) -> int | None:
        """Return when the last message of a topic came, CLOCK_BOOTTIME; None: none came yet."""
        return self._heard.get(topic)

    async def change(self, until_mono_ns: int) -> None:
        """Return when something came or ended, or at that time."""
        self._changed.clear()
        await self._clock.wait(self._changed, until_mono_ns)

    async def messages(self, until_mono_ns: int) -> list[Message]:
        """Return what came, in order, or nothing by that time; acknowledges what it gave last time.

        Nothing is awaited between taking and returning.

        Raises:
            LinkClosedError: the connection is gone, and all that came has been given.

        """
        self._acknowledge()
        while not self._queue:
            if self._end is not None:
                raise LinkClosedError(f"{self._endpoint}: {self._end}")
            if self._clock.now().mono_ns >= until_mono_ns:
                return []
            await self.change(until_mono_ns)
        return self.take()

    def take(self) -> list[Message]:
        """Return what has come, in order; it is acknowledged by the next call of `messages`."""
        taken = [self._queue.popleft() for _ in range(min(PORTION, len(self._queue)))]
        if taken:
            self._room.release(len(taken))
        self._given += taken
        return taken

    def request_rebirth(self, topic: str, payload: bytes) -> None:
        """Publish the one command that there is (Sparkplug, `Node Control/Rebirth`), once."""
        self._client.publish(topic, payload, qos=0, retain=False)

    def _acknowledge(self) -> None:
        for message in self._given:
            if message.qos:
                self._client.ack(message.number, message.qos)
        self._given = []

    def _connect(self) -> None:
        """Open the connection; in a thread, because files are read and names are looked up."""
        login = self._login
        if login.user is not None:
            password = None
            if login.password_file is not None:
                password = login.password_file.read_text(encoding="utf-8").rstrip("\r\n")
            self._client.username_pw_set(login.user, password)
        if self._endpoint.scheme == "mqtts":
            self._client.tls_set(None if login.ca_file is None else str(login.ca_file))
        self._client.connect(self._endpoint.host, self._endpoint.port, self._keepalive_s)
        self._client.loop_start()
        if self._is_closing:
            # The caller was cancelled while the connection was made, and did not see it.
            self._finish()

    def _finish(self) -> None:
        """End the connection and the thread; called off the loop."""
        connection = self._client.socket()
        self._client.disconnect()
        is_told = connection is None or self._has_ended.wait(FAREWELL_S)
        if not is_told and isinstance(connection, socket.socket):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._client.loop_stop()

    # What follows is called in paho's thread; its parameters are paho's.

    def _on_connect(
        self, client: Client, _: object, __: ConnectFlags, code: ReasonCode, ___: Properties | None
    ) -> None:
        if code.is_failure:
            self._say(self._ended, f"the broker refuses: {code}")
        else:
            client.subscribe([(topic, QOS) for topic in self._topics])

    def _on_subscribe(
        self, _: Client, __: object, ___: int, codes: list[ReasonCode], ____: Properties | None
    ) -> None:
        self._say(self._subscribed, [code.value for code in codes])

    def _on_message(self, _: Client, __: object, message: MQTTMessage) -> None:
        while not self._room.acquire(timeout=LOOK_S):
            if self._is_closing:
                return
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = ""
        heard = Message(
            topic=topic,
            payload=bytes(message.payload),
            number=message.mid,
            qos=message.qos,
            is_repeat=message.dup,
            is_retained=message.retain,
            arrival=self._clock.now(),
        )
        self._say(self._came, heard)

    def _on_disconnect(
        self, _: Client, __: object, ___: DisconnectFlags, code: ReasonCode, ____: Properties | None
    ) -> None:
        self._has_ended.set()
        self._say(self._ended, f"the connection was closed: {code}")

    def _say(self, what: Callable[[T], None], value: T) -> None:
        # The loop may be gone when the interpreter ends: nobody listens any more.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(what, value)

    # And these on the loop.

    def _subscribed(self, codes: Sequence[int]) -> None:
        self._granted = codes
        self._changed.set()

    def _came(self, message: Message) -> None:
        self._queue.append(message)
        if not message.is_retained:
            self._heard[message.topic] = message.arrival.mono_ns
        self._changed.set()

    def _ended(self, why: str) -> None:
        if self._end is None:
            self._end = why
        self._changed.set()
