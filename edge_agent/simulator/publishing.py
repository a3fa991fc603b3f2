"""A connection of the simulator to a broker: paho in a thread, its last will set beforehand."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

LIMIT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Will:
    """What the broker says when the connection breaks."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Publisher:
    """Publishes to a broker."""

    client: Client

    def say(self, topic: str, payload: bytes | str, *, qos: int = 0) -> None:
        """Publish; the broker has the message soon."""
        self.client.publish(topic, payload, qos=qos, retain=False)


@asynccontextmanager
async def publishing(
    host: str,
    port: int,
    client_id: str,
    *,
    will: Will | None = None,
    hears: tuple[str, Callable[[str, bytes], None]] | None = None,
) -> AsyncIterator[Publisher]:
    """Yield a publisher that is connected to a broker.

    Args:
        host: of the broker.
        port: of the broker.
        client_id: nobody else there may have the same.
        will: what the broker says when the connection breaks.
        hears: a topic, and what is called on the loop with topic and payload of its messages.

    Raises:
        OSError: there is no broker.

    """
    loop = asyncio.get_running_loop()
    client = Client(CallbackAPIVersion.VERSION2, client_id=client_id)
    if will is not None:
        client.will_set(will.topic, will.payload, qos=1, retain=False)
    is_ready = threading.Event()

    def on_message(_: Client, __: object, message: MQTTMessage) -> None:
        if hears is not None:
            loop.call_soon_threadsafe(hears[1], message.topic, bytes(message.payload))

    def on_connect(*_: object) -> None:
        if hears is None:
            is_ready.set()
        else:
            client.subscribe(hears[0], 1)

    client.on_connect = on_connect
    client.on_subscribe = lambda *_: is_ready.set()
    client.on_message = on_message
    await asyncio.to_thread(client.connect, host, port)
    client.loop_start()
    try:
        await asyncio.to_thread(is_ready.wait, LIMIT_S)
        yield Publisher(client=client)
    finally:
        client.disconnect()
        await asyncio.to_thread(client.loop_stop)
