"""The model centre behind a real socket: HTTP/1.1 on the loopback, with faults on demand."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import h11
import zstandard

from edge_agent.wire.frame import BatchFrame, ReceiptFrame, frames
from edge_agent.wire.header import Header, batch_hash
from tests.edge_agent.uplink.model_centre import Arriving, ModelCentre, Reaction, before_of

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable
    from uuid import UUID

LARGEST_BODY = 9 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    """Unpacked."""
    wire_bytes: int

    @property
    def frames(self) -> list[Arriving]:
        """The batches in it."""
        return [arriving(one) for one in frames(self.body) if isinstance(one, BatchFrame)]

    @property
    def receipts(self) -> list[bytes]:
        """The receipts in it."""
        found = frames(self.body)
        return [one.receipt_bytes for one in found if isinstance(one, ReceiptFrame)]


@dataclass(slots=True, kw_only=True)
class HttpCentre:
    """What runs on the socket; `faults` are used up one by one, then it behaves."""

    model: ModelCentre
    url: str = ""
    seen: list[Seen] = field(default_factory=list)
    connections: int = 0
    faults: list[Callable[[Seen], tuple[int, dict[str, str], bytes] | None]] = field(
        default_factory=list
    )
    """Each gives an answer instead of the model's, or None to close without an answer."""
    put_statuses: list[int] = field(default_factory=list)
    """Answers to the next documents; then they are taken."""
    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def requests(self, count: int) -> list[Seen]:
        """Return the requests once so many have arrived."""
        async with asyncio.timeout(20), self.arrived:
            await self.arrived.wait_for(lambda: len(self.seen) >= count)
        return self.seen

    async def batches(self, count: int) -> None:
        """Return once so many batches are stored."""
        async with asyncio.timeout(20), self.arrived:
            await self.arrived.wait_for(lambda: len(self.model.stored) >= count)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer requests on one connection until the caller or a fault ends it."""
        self.connections += 1
        parser = h11.Connection(h11.SERVER)
        with suppress(ConnectionError):
            while (seen := await read_request(parser, reader)) is not None:
                answer = self._answer(seen)
                async with self.arrived:
                    self.seen.append(seen)
                    self.arrived.notify_all()
                if answer is None:
                    break
                writer.write(encode_answer(parser, *answer))
                await writer.drain()
                if parser.our_state is not h11.DONE:
                    break
                parser.start_next_cycle()
        writer.close()

    def _answer(self, seen: Seen) -> tuple[int, dict[str, str], bytes] | None:
        if self.faults:
            return self.faults.pop(0)(seen)
        if seen.method == "PUT":
            return self.put_statuses.pop(0) if self.put_statuses else 201, {}, b""
        reaction = self.model.receive(seen.frames)
        return reaction.status, {}, reaction.body()


def arriving(frame: BatchFrame) -> Arriving:
    """Return what the model looks at in a frame."""
    header = Header.unpack(frame.header_bytes)
    return Arriving(
        chain_id=header.chain_id,
        batch_no=header.batch_no,
        batch_hash=batch_hash(frame.header_bytes),
        before=before_of(header.chain_id, header.batch_no, header.prev_batch_hash),
        flags=frame.flags,
    )


async def read_request(parser: h11.Connection, reader: asyncio.StreamReader) -> Seen | None:
    """Return the next request, whole, or None when the caller is gone."""
    request: h11.Request | None = None
    body = bytearray()
    while True:
        event = parser.next_event()
        match event:
            case h11.NEED_DATA:
                parser.receive_data(await reader.read(65_536))
            case h11.Request():
                request = event
            case h11.Data():
                body += event.data
            case h11.EndOfMessage():
                break
            case _:
                return None
    assert request is not None
    headers = {name.decode(): value.decode() for name, value in request.headers}
    is_packed = headers.get("content-encoding") == "zstd"
    unpacked = zstandard.decompress(bytes(body), LARGEST_BODY) if is_packed else bytes(body)
    return Seen(
        method=request.method.decode(),
        path=request.target.decode(),
        headers=headers,
        body=unpacked,
        wire_bytes=len(body),
    )


def encode_answer(
    parser: h11.Connection, status: int, headers: dict[str, str], body: bytes
) -> bytes:
    """Return the bytes of an answer."""
    head = h11.Response(
        status_code=status, headers=[*headers.items(), ("content-length", str(len(body)))]
    )
    events = (head, h11.Data(data=body), h11.EndOfMessage())
    return b"".join(parser.send(event) or b"" for event in events)


def answering(
    reaction: Reaction, **headers: str
) -> Callable[[Seen], tuple[int, dict[str, str], bytes]]:
    """Return a fault that gives this answer, whatever was asked."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: (reaction.status, named, reaction.body())


def silent(_: Seen) -> None:
    """Close the connection without an answer: a fault."""


@asynccontextmanager
async def http_centre(
    gateway_id: UUID, *, port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[HttpCentre]:
    """Run a centre on the loopback."""
    centre = HttpCentre(model=ModelCentre(gateway_id=gateway_id))
    server = await asyncio.start_server(centre.serve, "127.0.0.1", port, ssl=tls)
    async with server:
        scheme = "http" if tls is None else "https"
        centre.url = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield centre
