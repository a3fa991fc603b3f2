"""What the server does with heads that are too large or never end."""

import asyncio
from pathlib import Path

import pytest

from central_sync.api import protocol
from edge_agent.wire.frame import MEDIA_TYPE
from tests.central_sync.api.running_centre import Running, running
from tests.central_sync.ingest.signed_chain import uuid_of

pytestmark = pytest.mark.asyncio
HEAD = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"


async def exchange(centre: Running, *pieces: bytes) -> bytes:
    """Send pieces one by one, and return what comes until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", centre.client.base_url.port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def test_a_head_within_the_limit_is_answered(tmp_path: Path) -> None:
    async with running(tmp_path) as centre:
        value = b"v" * (protocol.LARGEST_HEAD_BYTES - 200)
        answer = await exchange(
            centre, HEAD + b"Connection: close\r\nX: " + value + b"\r\n", b"\r\n"
        )
        assert answer.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "piece", [b"v" * 1024, b"X: y\r\n" * 200], ids=["one header", "many headers"]
)
async def test_a_head_that_grows_beyond_the_limit_ends_the_connection(
    tmp_path: Path, piece: bytes
) -> None:
    async with running(tmp_path) as centre:
        answer = await exchange(centre, HEAD + b"X: ", *[piece] * 64)
        assert not answer.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("begun", [b"", b"GET", HEAD])
async def test_a_head_that_does_not_come_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    monkeypatch.setattr(protocol, "HEAD_TIMEOUT_S", 0.05)
    async with running(tmp_path) as centre:
        assert await exchange(centre, begun) == b""


async def test_the_second_head_of_a_connection_is_bounded_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path) as centre:
        monkeypatch.setattr(protocol, "HEAD_TIMEOUT_S", 0.05)
        answer = await exchange(centre, HEAD + b"\r\n", HEAD)
        assert answer.count(b"HTTP/1.1 200") == 1


async def test_a_connection_with_a_long_body_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HEAD_TIMEOUT_S", 0.05)
    async with running(tmp_path) as centre:
        path = f"/v1/gateways/{uuid_of(1)}/batches"
        answer = await centre.client.post(
            path, content=bytes(64 * 1024), headers={"Content-Type": MEDIA_TYPE}
        )
        assert answer.json()["error"]["code"] == "frame"


NOBODY_READS = b"POST /nowhere HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "piece",
    [b"X: y\r\n" * 200, b"v" * 1024],
    ids=["many trailers", "one trailer"],
)
async def test_trailers_without_end_end_the_connection(tmp_path: Path, piece: bytes) -> None:
    async with running(tmp_path) as centre:
        async with asyncio.timeout(5):
            answer = await exchange(centre, NOBODY_READS + b"0\r\nX: ", *[piece] * 64)
        assert answer.count(b"HTTP/1.1") <= 1


async def test_a_body_that_nobody_reads_ends_with_its_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "LARGEST_UNREAD_BYTES", 1000)
    chunk = b"400\r\n" + bytes(1024) + b"\r\n"
    async with running(tmp_path) as centre:
        async with asyncio.timeout(5):
            answer = await exchange(centre, NOBODY_READS, *[chunk] * 64)
        assert answer.count(b"HTTP/1.1") <= 1


@pytest.mark.parametrize("late", [b"1\r\nx\r\n", b"0\r\n\r\n\r\n"], ids=["a body", "nothing"])
async def test_what_trickles_in_after_the_answer_does_not_hold_the_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late: bytes
) -> None:
    async with running(tmp_path) as centre:
        reader, writer = await asyncio.open_connection("127.0.0.1", centre.client.base_url.port)
        writer.write(NOBODY_READS)
        assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 404")
        monkeypatch.setattr(protocol, "HEAD_TIMEOUT_S", 0.05)
        for piece in (late[:-2], late[-2:]):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.01)
        async with asyncio.timeout(5):
            await reader.read()
        writer.close()
