"""The local HTTP on real sockets: what it answers, whom it lets in, and what it survives."""

from __future__ import annotations

import asyncio
import json
import socket
import stat
import threading
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from edge_agent.config.model import HealthSettings
from edge_agent.health.pages import Sources
from edge_agent.health.server import LARGEST_REQUEST_BYTES, MOST_CONNECTIONS, serve_health
from edge_agent.health.status import ChannelStatus
from tests.edge_agent.health.snapshots import BUFFER, WELL
from tests.edge_agent.uplink.gateway import HandClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from edge_agent.health.status import Snapshot

pytestmark = pytest.mark.asyncio

CHANNEL = ChannelStatus(
    channel=1,
    name="NOx",
    facility="north",
    device="nox-1",
    parameter="nox",
    unit_of_measure="ppm",
    at_ns=5,
    raw=1234,
    value="123.4",
    quality=0x80000000,
    status=4,
    is_stale=False,
    raw_type="int16",
    word_order="ABCD",
)


def sources(*, snapshot: Snapshot = WELL, stalled: tuple[str, ...] = ()) -> Sources:
    """Return what the pages show."""
    return Sources(
        snapshot=lambda: snapshot,
        channels=lambda: [CHANNEL],
        events=lambda: [{"type": "boot", "at_ns": "5"}],
        stalled=lambda: stalled,
    )


@asynccontextmanager
async def serving(
    path: Path, shown: Sources | None = None, *, port: int | None = None
) -> AsyncIterator[HandClock]:
    """Serve beside a block; yields the clock once the socket is there, if it can be."""
    clock = HandClock()
    settings = HealthSettings(socket=path, port=port)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(serve_health(settings, shown or sources(), clock))
        for _ in range(100):
            await asyncio.sleep(0)
        yield clock
        task.cancel()


async def told(path: Path, request: bytes) -> bytes:
    """Send bytes to the Unix socket and return all that comes back."""
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(request)
    try:
        async with asyncio.timeout(20):
            return await reader.read()
    except ConnectionResetError:
        # What the server had not read when it closed.
        return b""
    finally:
        writer.close()


async def get(path: Path, target: str, method: str = "GET") -> tuple[int, str, bytes]:
    """Return status, head and body of the answer."""
    answer = await told(path, f"{method} {target} HTTP/1.1\r\nHost: agent\r\n\r\n".encode())
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), head.decode().lower(), body


async def test_the_page_of_channels_is_not_put_together_on_the_loop_that_polls(
    tmp_path: Path,
) -> None:
    threads: list[int] = []

    def channels() -> list[ChannelStatus]:
        threads.append(threading.get_ident())
        return [CHANNEL]

    async with serving(tmp_path / "s", replace(sources(), channels=channels)):
        status, _, body = await get(tmp_path / "s", "/v1/channels?device=any")
    assert (status, json.loads(body)["channels"][0]["raw"]) == (200, 1234)
    assert threads != [threading.get_ident()]


async def test_the_status_is_json_with_every_part(tmp_path: Path) -> None:
    path = tmp_path / "agent.sock"
    async with serving(path):
        status, head, body = await get(path, "/v1/status?pretty")
    shown = json.loads(body)
    assert (status, "content-type: application/json" in head) == (200, True)
    parts = {"at_ns", "agent", "alarms", "devices", "buffer", "uplink", "clock"}
    parts |= {"configuration", "hardware_changed"}
    assert set(shown) == parts
    assert shown["agent"]["gateway_id"] == str(WELL.agent.gateway_id)
    assert shown["buffer"]["chain_id"] == str(BUFFER.chain_id)
    assert shown["devices"][0]["name"] == "nox-1"


async def test_channels_events_and_metrics_are_there(tmp_path: Path) -> None:
    path = tmp_path / "agent.sock"
    async with serving(path):
        channels = json.loads((await get(path, "/v1/channels"))[2])
        events = json.loads((await get(path, "/v1/events"))[2])
        _, head, metrics = await get(path, "/metrics")
    assert channels["channels"][0]["value"] == "123.4"
    assert events == {"events": [{"type": "boot", "at_ns": "5"}]}
    assert "content-type: text/plain; version=0.0.4" in head
    assert metrics.startswith(b"# HELP emissionwatch_edge_info")


async def test_health_and_readiness_have_their_own_reasons(tmp_path: Path) -> None:
    path = tmp_path / "agent.sock"
    full = replace(WELL, buffer=replace(BUFFER, is_full=True))
    async with serving(path, sources(stalled=("poll tcp://a",))):
        assert (await get(path, "/healthz"))[::2] == (503, b"stalled: poll tcp://a\n")
        assert (await get(path, "/readyz"))[::2] == (200, b"ok\n")
    async with serving(path, sources(snapshot=full)):
        assert (await get(path, "/healthz"))[::2] == (200, b"ok\n")
        assert (await get(path, "/readyz"))[::2] == (503, b"not ready: buffer_full\n")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
async def test_nothing_but_get_is_answered(tmp_path: Path, method: str) -> None:
    path = tmp_path / "agent.sock"
    async with serving(path):
        status, head, _ = await get(path, "/v1/status", method)
    assert status == 405
    assert "allow: get" in head


async def test_a_page_that_fails_is_an_answer_and_not_the_end(tmp_path: Path) -> None:
    def broken() -> Snapshot:
        raise ArithmeticError("a bug")

    path = tmp_path / "agent.sock"
    async with serving(path, replace(sources(), snapshot=broken)):
        assert (await get(path, "/v1/status"))[0] == 500
        assert (await get(path, "/v1/channels"))[0] == 200


async def test_an_unknown_path_names_those_that_there_are(tmp_path: Path) -> None:
    path = tmp_path / "agent.sock"
    async with serving(path):
        status, _, body = await get(path, "/v2/status")
    assert status == 404
    assert "/v1/status" in json.loads(body)["paths"]


BAD = {
    "no HTTP": b"hello\r\n\r\n",
    "zeros": bytes(100),
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "endless head": b"GET / HTTP/1.1\r\nHost: a\r\nx: " + b"x" * LARGEST_REQUEST_BYTES * 2,
}


@pytest.mark.parametrize("request_bytes", BAD.values(), ids=BAD.keys())
async def test_a_bad_request_is_refused_and_the_next_caller_served(
    tmp_path: Path, request_bytes: bytes
) -> None:
    path = tmp_path / "agent.sock"
    async with serving(path):
        assert (await told(path, request_bytes)).split()[1:2] in ([b"400"], [b"431"], [])
        assert (await get(path, "/healthz"))[0] == 200


async def test_callers_who_say_nothing_or_leave_hold_nobody_else_up(tmp_path: Path) -> None:
    path = tmp_path / "agent.sock"
    async with serving(path):
        silent = [await asyncio.open_unix_connection(path) for _ in range(MOST_CONNECTIONS - 1)]
        for _ in range(5):
            _, leaving = await asyncio.open_unix_connection(path)
            leaving.write(b"GET /metr")
            leaving.close()
            await leaving.wait_closed()
        assert (await get(path, "/healthz"))[0] == 200
        for _, writer in silent:
            writer.close()


async def test_the_socket_is_for_owner_and_group_and_replaces_a_dead_one(tmp_path: Path) -> None:
    path = tmp_path / "agent.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    async with serving(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        assert (await get(path, "/healthz"))[0] == 200


async def test_a_port_of_the_loopback_is_served_too(tmp_path: Path) -> None:
    port = free_port()
    async with serving(tmp_path / "agent.sock", port=port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: agent\r\n\r\n")
        assert (await reader.read()).endswith(b"ok\n")
        writer.close()


async def test_a_port_in_use_is_tried_again_and_never_the_end(tmp_path: Path) -> None:
    path = tmp_path / "agent.sock"
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        async with serving(path, port=port) as clock:
            assert (await get(path, "/healthz"))[0] == 200
            assert await clock.asleep() == pytest.approx(30)
            other.close()
            await clock.pass_time(30)
            reader, writer = await retried(port)
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: agent\r\n\r\n")
            assert (await reader.read()).endswith(b"ok\n")
            writer.close()


async def retried(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Return a connection as soon as somebody listens."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(0)


async def test_a_path_that_cannot_be_written_is_a_fault_and_never_the_end(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "agent.sock"
    async with serving(path) as clock:
        assert await clock.asleep() == pytest.approx(30)
        path.parent.mkdir()
        await clock.pass_time(30)
        async with asyncio.timeout(20):
            while not path.exists():  # noqa: ASYNC110 - the server has nobody to tell
                await asyncio.sleep(0)
        assert (await get(path, "/healthz"))[0] == 200


async def test_the_socket_of_a_living_agent_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "agent.sock"
    async with serving(path), serving(path, sources(stalled=("second",))) as second:
        assert await second.asleep() == pytest.approx(30)
        assert (await get(path, "/healthz"))[0] == 200


async def test_a_file_in_the_way_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "agent.sock"
    path.write_text("precious", encoding="ascii")
    async with serving(path) as clock:
        await clock.asleep()
    assert path.read_text(encoding="ascii") == "precious"


def free_port() -> int:
    """Return a port of the loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
