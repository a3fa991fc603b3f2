"""Local HTTP, read-only: a Unix socket, and a port of the loopback interface if configured.

One request per connection, all of it limited. An address that cannot be taken is logged and tried
again later; it is never the end of the agent.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import closing
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Never

import h11
import structlog

from edge_agent.clock import NS_PER_S
from edge_agent.health.pages import LONG_PAGES, TEXT_TYPE, Page, page

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge_agent.clock import Clock
    from edge_agent.config.model import HealthSettings
    from edge_agent.health.pages import Sources

SOCKET_MODE: Final = 0o660
LARGEST_REQUEST_BYTES: Final = 16 * 1024
MOST_CONNECTIONS: Final = 16
REQUEST_LIMIT_S: Final = 10.0
RETRY_S: Final = 30
PIECE_BYTES: Final = 4096
LOOPBACK: Final = "127.0.0.1"

log = structlog.get_logger()


async def serve_health(settings: HealthSettings, sources: Sources, clock: Clock) -> None:
    """Answer on every configured address until cancelled; return at once when there is none."""
    async with asyncio.TaskGroup() as addresses:
        if settings.socket is not None:
            path = settings.socket
            listen = _unix_listener(path)
            addresses.create_task(_serve(listen, str(path), sources, clock))
        if settings.port is not None:
            name = f"{LOOPBACK}:{settings.port}"
            addresses.create_task(_serve(_tcp_listener(settings.port), name, sources, clock))


async def _serve(
    listen: Callable[[], socket.socket], name: str, sources: Sources, clock: Clock
) -> Never:
    """Serve one address for ever, as soon as it can be had."""
    is_known = False
    while True:
        try:
            listener = listen()
        except OSError as fault:
            if not is_known:
                log.warning("health_address.refused", address=name, reason=str(fault))
            is_known = True
            await clock.sleep_until(clock.now().mono_ns + RETRY_S * NS_PER_S)
            continue
        with closing(listener):
            log.info("health_address.opened", address=name)
            await _accept(listener, sources, clock)


async def _accept(listener: socket.socket, sources: Sources, clock: Clock) -> Never:
    loop = asyncio.get_running_loop()
    slots = asyncio.Semaphore(MOST_CONNECTIONS)
    async with asyncio.TaskGroup() as connections:
        while True:
            # Those beyond the limit wait in the kernel's own queue.
            await slots.acquire()
            try:
                connection, _ = await loop.sock_accept(listener)
            except OSError as fault:
                # Out of file descriptors, or the caller is gone already.
                log.warning("health_connection.failed", reason=str(fault))
                slots.release()
                await clock.sleep_until(clock.now().mono_ns + NS_PER_S)
                continue
            task = connections.create_task(_answer(connection, sources))
            task.add_done_callback(lambda _: slots.release())


async def _answer(connection: socket.socket, sources: Sources) -> None:
    """Answer one request and close; a caller that misbehaves costs nobody else anything."""
    with closing(connection):
        connection.setblocking(False)  # noqa: FBT003 - the argument has no name
        try:
            async with asyncio.timeout(REQUEST_LIMIT_S):
                await _exchange(connection, sources)
        except (TimeoutError, OSError):
            return


async def _exchange(connection: socket.socket, sources: Sources) -> None:
    loop = asyncio.get_running_loop()
    parser = h11.Connection(h11.SERVER, max_incomplete_event_size=LARGEST_REQUEST_BYTES)
    try:
        while (event := parser.next_event()) is h11.NEED_DATA:
            parser.receive_data(await loop.sock_recv(connection, PIECE_BYTES))
    except h11.RemoteProtocolError as fault:
        if parser.our_state is h11.IDLE or parser.our_state is h11.SEND_RESPONSE:
            status = HTTPStatus(fault.error_status_hint)
            await loop.sock_sendall(connection, _response(parser, _refusal(status)))
        return
    if isinstance(event, h11.Request):
        is_long = event.target.partition(b"?")[0] in LONG_PAGES
        # Devices are polled by this loop: it must not wait for a page.
        answer = (
            await asyncio.to_thread(_page, event, sources) if is_long else _page(event, sources)
        )
        has_body = event.method != b"HEAD"
        await loop.sock_sendall(connection, _response(parser, answer, has_body=has_body))


def _page(request: h11.Request, sources: Sources) -> Page:
    if request.method != b"GET":
        return _refusal(HTTPStatus.METHOD_NOT_ALLOWED)
    try:
        return page(request.target.decode("ascii"), sources)
    except Exception as error:
        # A page that cannot be put together must not end the recording of readings.
        log.error("health_page.failed", target=request.target.decode("ascii"), exc_info=error)
        return _refusal(HTTPStatus.INTERNAL_SERVER_ERROR)


def _refusal(status: HTTPStatus) -> Page:
    return Page(status=status, content_type=TEXT_TYPE, body=f"{status.phrase}\n".encode())


def _response(parser: h11.Connection, answer: Page, *, has_body: bool = True) -> bytes:
    headers = [
        ("content-type", answer.content_type),
        ("content-length", str(len(answer.body))),
        ("cache-control", "no-store"),
        ("connection", "close"),
    ]
    if answer.status is HTTPStatus.METHOD_NOT_ALLOWED:
        headers.append(("allow", "GET"))
    head = h11.Response(
        status_code=answer.status, headers=headers, reason=answer.status.phrase.encode()
    )
    body = answer.body if has_body else b""
    sent = (head, h11.Data(data=body), h11.EndOfMessage())
    return b"".join(parser.send(event) or b"" for event in sent)


def _unix_listener(path: Path) -> Callable[[], socket.socket]:
    def listen() -> socket.socket:
        _remove_stale(path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.setblocking(False)  # noqa: FBT003 - the argument has no name
            listener.bind(str(path))
            # Between bind and chmod only the owner may write, and connecting takes writing.
            path.chmod(SOCKET_MODE)
            listener.listen(MOST_CONNECTIONS)
        except OSError:
            listener.close()
            raise
        return listener

    return listen


def _remove_stale(path: Path) -> None:
    """Remove the socket of an agent that is gone.

    Raises:
        OSError: another process answers there, or the path is no socket.

    """
    if not path.is_socket():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        caller.setblocking(False)  # noqa: FBT003 - the argument has no name
        try:
            caller.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise OSError(f"{path}: another process answers there")


def _tcp_listener(port: int) -> Callable[[], socket.socket]:
    def listen() -> socket.socket:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            listener.setblocking(False)  # noqa: FBT003 - the argument has no name
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((LOOPBACK, port))
            listener.listen(MOST_CONNECTIONS)
        except OSError:
            listener.close()
            raise
        return listener

    return listen
