"""Uploads that are too large, too slow, too many, or nothing at all: limits over HTTP."""

import asyncio
import json
import struct
from collections.abc import AsyncIterator
from hashlib import sha512
from pathlib import Path

import httpx
import pytest
import zstandard

from central_sync import app
from central_sync.api.body import BodyReader
from central_sync.config import CentreSettings, Limits
from central_sync.ingest import receive, upload
from edge_agent.wire.frame import MAX_FRAMES, MAX_REQUEST, MEDIA_TYPE
from tests.central_sync.api.running_centre import Answer, Running, running
from tests.central_sync.ingest.signed_chain import SignedChain, framed, uuid_of

pytestmark = pytest.mark.asyncio


@pytest.mark.parametrize(
    "body", [b"\1", b"\1\0\0\0", bytes(8), struct.pack("<II", 4, 3), sha512(b"noise").digest()]
)
async def test_garbage_is_a_bad_frame(tmp_path: Path, body: bytes) -> None:
    chain = SignedChain()
    async with running(tmp_path) as centre:
        centre.register(chain)
        answer = await centre.post(chain, body)
        assert (answer.status, answer.error) == (400, "frame frame")
        assert answer.body["head"] is None


async def test_an_empty_request_is_answered_with_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as centre:
        answer = await centre.post(SignedChain())
        assert (answer.status, answer.body["receipts"], answer.error) == (200, [], None)


async def test_a_body_beyond_the_limit_is_refused_before_it_is_read(tmp_path: Path) -> None:
    chain = SignedChain()
    async with running(tmp_path) as centre:
        response = await centre.client.post(
            f"/v1/gateways/{chain.gateway_id}/batches",
            content=bytes(MAX_REQUEST + 1),
            headers={"Content-Type": MEDIA_TYPE},
        )
        assert response.status_code == 413
        assert response.json()["error"]["code"] == "too_large"


async def test_a_body_without_a_length_is_counted_while_it_comes(tmp_path: Path) -> None:
    chain = SignedChain()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(1024 * 1024)

    async with running(tmp_path) as centre:
        try:
            response = await centre.client.post(
                f"/v1/gateways/{chain.gateway_id}/batches",
                content=endless(),
                headers={"Content-Type": MEDIA_TYPE},
            )
        except (httpx.WriteError, httpx.ReadError):
            return  # the server closed the line while we were still sending
        assert response.status_code == 413


async def test_a_zip_bomb_is_refused_at_the_limit(tmp_path: Path) -> None:
    bomb = zstandard.compress(bytes(MAX_REQUEST + 1))
    assert len(bomb) < 2048
    async with running(tmp_path) as centre:
        answer = await centre.post(SignedChain(), bomb, content_encoding="zstd")
        assert (answer.status, answer.error) == (413, "too_large")


async def test_a_body_that_is_not_zstd_is_a_bad_frame(tmp_path: Path) -> None:
    async with running(tmp_path) as centre:
        answer = await centre.post(SignedChain(), b"nonsense", content_encoding="zstd")
        assert (answer.status, answer.error) == (400, "frame frame")


async def test_a_body_that_needs_a_large_window_is_refused(tmp_path: Path) -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=27, enable_ldm=True)
    compressor = zstandard.ZstdCompressor(compression_params=parameters)
    frame = compressor.compressobj()  # no content size: the header must name the window
    packed = frame.compress(bytes(1000)) + frame.flush()
    async with running(tmp_path) as centre:
        answer = await centre.post(SignedChain(), packed, content_encoding="zstd")
        assert (answer.status, answer.error) == (400, "frame frame")


async def test_too_many_frames_are_too_large(tmp_path: Path) -> None:
    chain = SignedChain()
    frame = framed(chain.batch())
    async with running(tmp_path) as centre:
        centre.register(chain)
        answer = await centre.post(chain, frame * MAX_FRAMES)
        assert (answer.status, len(answer.receipts)) == (200, MAX_FRAMES)
        answer = await centre.post(chain, frame * (MAX_FRAMES + 1))
        assert (answer.status, answer.error) == (413, "too_large")


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ({"Content_Type": "application/json"}, "media_type"),
        ({"Content_Encoding": "gzip"}, "encoding"),
    ],
)
async def test_other_types_and_encodings_are_not_taken(
    tmp_path: Path, headers: dict[str, str], error: str
) -> None:
    async with running(tmp_path) as centre:
        answer = await centre.post(SignedChain(), b"", **headers)
        assert (answer.status, answer.error) == (415, error)


@pytest.mark.parametrize(
    ("sent", "status", "error"),
    [(MAX_REQUEST - 1, 503, "overload"), (10, 400, "frame")],
    ids=["what others sent", "what others announced"],
)
async def test_only_what_has_come_counts_against_the_budget_for_bodies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sent: int, status: int, error: str
) -> None:
    limits = Limits(bytes_in_flight=64 * 1024 * 1024)
    bodies = BodyReader(limits)
    monkeypatch.setattr(app, "BodyReader", lambda _: bodies)
    settings = CentreSettings(state=tmp_path, listen="127.0.0.1:0", limits=limits)
    async with running(tmp_path, settings=settings) as centre:
        answer = await post_while_others_are_read(centre, bodies, sent=sent)
        assert (answer.status, answer.body["error"]["code"]) == (status, error)
        assert ("retry-after" in answer.headers) is (status == 503)


async def post_while_others_are_read(centre: Running, bodies: BodyReader, *, sent: int) -> Answer:
    """Send eight requests of 8 MiB up to somewhere, then one more of 64 bytes."""
    head = (
        f"POST /v1/gateways/{uuid_of(1)}/batches HTTP/1.1\r\nHost: x\r\n"
        f"Content-Type: {MEDIA_TYPE}\r\nContent-Length: {MAX_REQUEST}\r\n\r\n"
    )
    port = centre.client.base_url.port
    lines = [await asyncio.open_connection("127.0.0.1", port) for _ in range(8)]
    for _, writer in lines:
        writer.write(head.encode() + bytes(sent))
        await writer.drain()
    try:
        async with asyncio.timeout(20):
            while bodies.held_bytes < 8 * sent:  # noqa: ASYNC110 - nobody tells what was read
                await asyncio.sleep(0.01)
        return await centre.post(SignedChain(), bytes(64))
    finally:
        for _, writer in lines:
            writer.close()


async def test_a_body_that_does_not_come_is_not_waited_for(tmp_path: Path) -> None:
    limits = Limits(body_timeout_s=0.05)
    settings = CentreSettings(state=tmp_path, listen="127.0.0.1:0", limits=limits)
    async with running(tmp_path, settings=settings) as centre:
        port = centre.client.base_url.port
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            f"POST /v1/gateways/{uuid_of(1)}/batches HTTP/1.1\r\nHost: x\r\n"
            f"Content-Type: {MEDIA_TYPE}\r\nContent-Length: 10\r\n\r\n12".encode()
        )
        answer = await reader.readuntil(b"}")
        writer.close()
        assert answer.startswith(b"HTTP/1.1 408")
        assert json.loads(answer.partition(b"\r\n\r\n")[2] + b"}")["error"]["code"] == "slow"


async def test_a_request_of_too_much_work_is_stored_in_part_and_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receive, "READING_AT_MOST_S", 0.0)
    monkeypatch.setattr(receive, "READ_AT_ONCE", 1)
    chain = SignedChain()
    frames = [framed(batch) for batch in chain.batches(3)]
    async with running(tmp_path) as centre:
        centre.register(chain)
        for stored in range(1, 4):
            answer = await centre.post(chain, *frames[stored - 1 :])
            assert len(answer.receipts) == 1
            assert (answer.status, answer.error) == ((503, "busy") if stored < 3 else (200, None))


async def test_one_gateway_cannot_take_every_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "AT_ONCE_PER_GATEWAY", 0)
    async with running(tmp_path) as centre:
        answer = await centre.post(SignedChain(), b"x")
        assert (answer.status, answer.error) == (503, "overload")
        assert int(answer.headers["retry-after"]) > 0
