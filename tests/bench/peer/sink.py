"""A stand-in for the peer's server: an MQTT endpoint that acknowledges only what it has counted.

ThingsBoard gateway publishes `{device: [{"ts": ..., "values": {tag: value}}]}` at QoS 1; two tags
carry the number that the simulated device gave its poll, so loss and duplicates can be counted.
Usage: sink.py PORT STATE.json. SIGUSR1 writes STATE.json, SIGUSR2 toggles an outage.

Source of the packets: MQTT 3.1.1 and 5.0, OASIS.
"""

import asyncio
import json
import signal
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Final, TypeAlias

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"

# Tags of the two registers in which the simulated device counts its polls.
HIGH_TAG, LOW_TAG = "r0", "r1"
NO_LIMITS: Final = {
    "maxPayloadSize": 65536,
    "maxInflightMessages": 1000,
    "rateLimits": {"messages": "0:0,", "telemetryMessages": "0:0,", "telemetryDataPoints": "0:0,"},
    "gatewayRateLimits": {
        "messages": "0:0,",
        "telemetryMessages": "0:0,",
        "telemetryDataPoints": "0:0,",
    },
}


def variable_length(buffer: bytes | bytearray, start: int) -> tuple[int, int] | None:
    """Return a variable byte integer and the index behind it; None when it is not all there."""
    value = 0
    for count in range(4):
        if start + count >= len(buffer):
            return None
        byte = buffer[start + count]
        value |= (byte & 0x7F) << (7 * count)
        if not byte & 0x80:
            return value, start + count + 1
    raise ValueError("a variable byte integer has at most four bytes")


def encoded_length(length: int) -> bytes:
    """Return a length as a variable byte integer."""
    encoded = bytearray()
    while True:
        length, low = divmod(length, 128)
        encoded.append(low | (0x80 if length else 0))
        if not length:
            return bytes(encoded)


class Tally:
    """What arrived: values, and the polls of each device by number."""

    def __init__(self) -> None:
        self.value_count = 0
        self.byte_count = 0
        self.polls: defaultdict[str, Counter[int]] = defaultdict(Counter)

    def take(self, topic: str, payload: bytes) -> None:
        """Count one publish; only telemetry holds values."""
        if topic != "v1/gateway/telemetry":
            return
        for device, rows in json.loads(payload).items():
            for row in rows:
                values = row.get("values") or {}
                self.value_count += len(values)
                if LOW_TAG in values:
                    number = int(values.get(HIGH_TAG, 0)) << 16 | int(values[LOW_TAG])
                    self.polls[device][number] += 1

    def facts(self) -> dict[str, int]:
        """Return the counts as they are written to STATE.json."""
        return {
            "values": self.value_count,
            "bytes_in": self.byte_count,
            "distinct": sum(map(len, self.polls.values())),
            "duplicates": sum(sum(polls.values()) - len(polls) for polls in self.polls.values()),
        }


class Session(asyncio.Protocol):
    """One MQTT connection."""

    def __init__(self, tally: Tally, open_sessions: "set[Session]") -> None:
        self._tally = tally
        self._open = open_sessions
        self._buffer = bytearray()
        self._is_version_5 = False
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the connection, so that an outage can drop it."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._open.add(self)

    def connection_lost(self, _: Exception | None) -> None:
        """Forget the connection."""
        self._open.discard(self)

    def data_received(self, data: bytes) -> None:
        """Handle every whole packet."""
        self._tally.byte_count += len(data)
        self._buffer += data
        while len(self._buffer) >= 2:
            length = variable_length(self._buffer, 1)
            if length is None or len(self._buffer) < sum(length):
                return
            size, start = length
            first, body = self._buffer[0], bytes(self._buffer[start : start + size])
            del self._buffer[: start + size]
            self._packet(first, body)

    def _packet(self, first: int, body: bytes) -> None:
        match first >> 4:
            case 1:  # CONNECT
                name_length = int.from_bytes(body[:2])
                self._is_version_5 = body[2 + name_length] == 5
                self._send(0x20, b"\0\0\0" if self._is_version_5 else b"\0\0")
            case 3:  # PUBLISH
                self._publish(first, body)
            case 8:  # SUBSCRIBE
                self._send(0x90, body[:2] + self._no_properties() + b"\1" * self._filters(body))
            case 10:  # UNSUBSCRIBE
                self._send(0xB0, body[:2])
            case 12:  # PINGREQ
                self._send(0xD0, b"")
            case 14:  # DISCONNECT
                self.transport.close()

    def _publish(self, first: int, body: bytes) -> None:
        topic_end = 2 + int.from_bytes(body[:2])
        topic, rest, packet_id = body[2:topic_end].decode(), topic_end, b""
        if first & 0b110:  # QoS 1 or 2
            packet_id, rest = body[rest : rest + 2], rest + 2
        if self._is_version_5:
            properties = variable_length(body, rest)
            assert properties is not None
            rest = sum(properties)
        self._tally.take(topic, body[rest:])
        if packet_id:
            self._send(0x40, packet_id)
        request_id = topic.rsplit("/", 1)[1]
        if topic.startswith("v1/devices/me/rpc/request/"):
            self._answer(f"v1/devices/me/rpc/response/{request_id}", NO_LIMITS)
        elif topic.startswith("v1/devices/me/attributes/request/"):
            self._answer(f"v1/devices/me/attributes/response/{request_id}", {})

    def _filters(self, body: bytes) -> int:
        index, count = (3 + body[2] if self._is_version_5 else 2), 0
        while index < len(body):
            index += 3 + int.from_bytes(body[index : index + 2])
            count += 1
        return count

    def _answer(self, topic: str, fields: "dict[str, object] | dict[str, Json]") -> None:
        encoded = topic.encode()
        head = len(encoded).to_bytes(2) + encoded + self._no_properties()
        self._send(0x30, head + json.dumps(fields).encode())

    def _no_properties(self) -> bytes:
        return b"\0" if self._is_version_5 else b""

    def _send(self, first: int, body: bytes) -> None:
        self.transport.write(bytes([first]) + encoded_length(len(body)) + body)


class Endpoint:
    """The listening socket, which an outage closes."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._sessions: set[Session] = set()
        self._server: asyncio.Server | None = None
        self.tally = Tally()

    async def open(self) -> None:
        """Accept connections."""
        self._server = await asyncio.get_running_loop().create_server(
            lambda: Session(self.tally, self._sessions), "127.0.0.1", self._port, reuse_address=True
        )

    async def toggle(self) -> None:
        """Begin an outage, dropping every connection, or end it."""
        if self._server is None:
            await self.open()
            return
        self._server.close()
        self._server = None
        for session in list(self._sessions):
            session.transport.abort()


async def serve(port: int, state: Path) -> None:
    """Serve until SIGTERM; write the counts at SIGUSR1 and at the end."""
    loop, stop, outage = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
    endpoint = Endpoint(port)

    def write() -> None:
        """Write the counts so that a reader never sees half of them."""
        draft = state.with_suffix(".tmp")
        draft.write_text(json.dumps(endpoint.tally.facts()), encoding="utf-8")
        draft.replace(state)

    async def toggle_when_asked() -> None:
        """Follow SIGUSR2."""
        while True:
            await outage.wait()
            outage.clear()
            await endpoint.toggle()

    loop.add_signal_handler(signal.SIGUSR1, write)
    loop.add_signal_handler(signal.SIGUSR2, outage.set)
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    await endpoint.open()
    async with asyncio.TaskGroup() as group:
        toggling = group.create_task(toggle_when_asked())
        await stop.wait()
        toggling.cancel()
    write()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2])))
