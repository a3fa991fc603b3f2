"""A stranger in the centre's place, who answers every upload with receipts of his own making.

He keeps nothing. Whoever believes him forgets readings that are nowhere else. Shares no code with
the product: docs/wire-format.md sections 2, 3, 12 and 13 are its source.
"""

from __future__ import annotations

import asyncio
import base64
import json
import struct
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import cycle
from threading import Event, Thread
from typing import TYPE_CHECKING, Final, Self

import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CONTEXT: Final = b"EmissionWatch receipt v1\0"
LARGEST_BYTES: Final = 8 * 1024 * 1024
NO_LOG: Final = 2**64 - 1
RECEIPT: Final = struct.Struct("<32s16s16sQ32sQqB")
HEADER: Final = slice(8, 320)
_SPKI: Final = PublicFormat.SubjectPublicKeyInfo


@dataclass
class Impostor:
    """Listens on 127.0.0.1 from `with` to its end.

    Attributes:
        receipt_key: file of the true centre's public key, whose name he borrows.
        enter: called first in his thread; see `Proxy`.
        forged: receipts given.

    """

    receipt_key: Path
    enter: Callable[[], None] | None = None
    forged: int = 0
    port: int = 0
    _ready: Event = field(default_factory=Event)

    def __enter__(self) -> Self:
        """Listen on a free port."""
        self._key = Ed25519PrivateKey.generate()
        true_key = load_pem_public_key(self.receipt_key.read_bytes())
        own = _key_id(self._key.public_key().public_bytes(Encoding.DER, _SPKI))
        true = _key_id(true_key.public_bytes(Encoding.DER, _SPKI))
        # Under the true name with his signature, with none at all, and under his own name.
        self._manners = cycle(((true, True), (true, False), (own, True)))
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()
        if not self._ready.wait(10.0):
            raise TimeoutError("the impostor does not listen")
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10.0)

    def _run(self) -> None:
        if self.enter is not None:
            self.enter()
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        async with server:
            await self._stop.wait()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                wanted, *lines = head.splitlines()
                fields = dict(line.split(": ", 1) for line in lines if line)
                body = await reader.readexactly(int(fields["content-length"]))
                is_upload = "/batches" in wanted
                writer.write(
                    self._answer(body if is_upload else b"", fields.get("content-encoding", ""))
                )
                await writer.drain()
        writer.close()

    def _answer(self, body: bytes, encoding: str) -> bytes:
        if body and encoding == "zstd":
            body = zstandard.ZstdDecompressor().decompress(body, max_output_size=LARGEST_BYTES)
        receipts = [base64.b64encode(self._receipt(header)).decode() for header in _headers(body)]
        self.forged += len(receipts)
        answer = json.dumps(
            {"receipts": receipts, "head": None, "wanted": [], "wanted_bundles": [], "error": None}
        ).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(answer)}"
        return head.encode() + b"\r\n\r\n" + answer

    def _receipt(self, header: bytes) -> bytes:
        key_id, is_signed = next(self._manners)
        batch_hash = sha256(b"\x02" + header).digest()
        (batch_no,) = struct.unpack_from("<Q", header, 48)
        place = (header[16:32], header[32:48], batch_no, batch_hash)
        said = RECEIPT.pack(key_id, *place, NO_LOG, 0, 0)
        return said + (self._key.sign(CONTEXT + said) if is_signed else bytes(64))


def _key_id(spki: bytes) -> bytes:
    return sha256(spki).digest()


def _headers(request: bytes) -> Iterator[bytes]:
    """Yield the headers of the batches of a request."""
    start = 0
    while start < len(request):
        length, flags = struct.unpack_from("<II", request, start)
        frame = request[start : start + 4 + length]
        if flags != 2:
            yield frame[HEADER]
        start += 4 + length
