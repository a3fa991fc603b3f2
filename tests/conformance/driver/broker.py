"""A real MQTT broker on loopback: Debian's mosquitto, in a process of its own."""

import asyncio
import shutil
import signal
import socket
from asyncio.subprocess import PIPE, Process, create_subprocess_exec
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin")
LIMIT_S = 10


def free_port() -> int:
    """Return a port of loopback that nobody listens at."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@dataclass
class Broker:
    """Mosquitto on one port; what it is told is lost when it ends."""

    folder: Path
    port: int = field(default_factory=free_port)
    extra: Sequence[str] = ()
    process: Process | None = None

    async def start(self) -> None:
        """Start it and wait until it listens."""
        assert MOSQUITTO is not None
        config = self.folder / f"mosquitto-{self.port}.conf"
        lines = (f"listener {self.port} 127.0.0.1", "user root", *self.extra)
        if not any("password_file" in line for line in self.extra):
            lines = (*lines, "allow_anonymous true")
        config.write_text("\n".join(lines) + "\n")
        self.process = await create_subprocess_exec(MOSQUITTO, "-c", str(config), stderr=PIPE)
        assert self.process.stderr is not None
        async with asyncio.timeout(LIMIT_S):
            while b"running" not in (line := await self.process.stderr.readline()):
                assert line, "mosquitto ended"

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    async def kill(self) -> None:
        """End it at once."""
        if self.process is not None:
            self.process.kill()
            await self.process.communicate()
            self.process = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.kill()


@dataclass
class Publisher:
    """A device that publishes: each call returns once the broker has the message."""

    client: Client

    async def say(self, topic: str, payload: bytes | str, *, retain: bool = False) -> None:
        """Publish with QoS 1."""
        told = self.client.publish(topic, payload, qos=1, retain=retain)
        await asyncio.to_thread(told.wait_for_publish, LIMIT_S)


@asynccontextmanager
async def publishing(port: int, client_id: str = "analyzer") -> AsyncIterator[Publisher]:
    """Yield a publisher that is connected to the broker at a port."""
    client = Client(CallbackAPIVersion.VERSION2, client_id=client_id)
    await asyncio.to_thread(client.connect, "127.0.0.1", port)
    client.loop_start()
    try:
        yield Publisher(client)
    finally:
        client.disconnect()
        await asyncio.to_thread(client.loop_stop)
