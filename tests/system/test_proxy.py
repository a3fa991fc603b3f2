"""The proxy does to a connection what its name for it says, and nothing otherwise."""

from __future__ import annotations

import random
import socket
import socketserver
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from tests.system import proxy as proxy_module
from tests.system.proxy import Limit, Mishap, Proxy

if TYPE_CHECKING:
    from collections.abc import Iterator

REQUEST = b"q" * 3_000
ANSWER = b"a" * 5_000


class Centre(socketserver.ThreadingTCPServer):
    """A server that answers every request, and remembers how much of each it was sent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.received: list[int] = []


class Answering(socketserver.BaseRequestHandler):
    """One connection of the server."""

    server: Centre

    def handle(self) -> None:
        """Answer until the other side is gone."""
        with suppress(OSError):
            while self._is_whole():
                self.request.sendall(ANSWER)

    def _is_whole(self) -> bool:
        self.server.received.append(0)
        while self.server.received[-1] < len(REQUEST):
            some = self.request.recv(65_536)
            if not some:
                return False
            self.server.received[-1] += len(some)
        return True


@contextmanager
def centre() -> Iterator[tuple[int, list[int]]]:
    """Yield the port of a server, and the list of what it received."""
    with Centre() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_address[1], server.received
        server.shutdown()
        thread.join()


def exchange(connection: socket.socket) -> int:
    """Send a request; return how much of the answer came before an end or a reset."""
    got = 0
    try:
        connection.sendall(REQUEST)
        while got < len(ANSWER):
            some = connection.recv(65_536)
            if not some:
                break
            got += len(some)
    except ConnectionError:
        pass
    return got


@contextmanager
def connected(proxy: Proxy) -> Iterator[socket.socket]:
    """Yield a connection to the proxy."""
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as connection:
        yield connection


def test_without_mishaps_everything_passes_and_the_connection_stays() -> None:
    with centre() as (port, _), Proxy(port, seed=1) as proxy, connected(proxy) as connection:
        assert [exchange(connection) for _ in range(5)] == [len(ANSWER)] * 5
        assert proxy.counts == {"clean": 5}


RESETS = (Mishap.REFUSE, Mishap.RESET_REQUEST, Mishap.LOSE_RESPONSE, Mishap.CUT_RESPONSE)


@pytest.mark.parametrize("mishap", RESETS)
def test_a_mishap_strikes_as_named(mishap: Mishap) -> None:
    with centre() as (port, received), Proxy(port, seed=1, rates={mishap: 1.0}) as proxy:
        with connected(proxy) as connection:
            got = exchange(connection)
        assert proxy.counts == {mishap: 1}
    if mishap is Mishap.CUT_RESPONSE:
        assert 0 <= got < len(ANSWER)
    else:
        assert got == 0
    if mishap in (Mishap.LOSE_RESPONSE, Mishap.CUT_RESPONSE):
        assert received[0] == len(REQUEST)
    else:
        assert sum(received) < len(REQUEST)


def is_reset(proxy: Proxy) -> bool:
    """Return whether a new connection is reset, be it while it is made or when it is used."""
    try:
        with connected(proxy) as connection:
            return exchange(connection) == 0
    except ConnectionResetError:
        return True


def test_a_cut_resets_what_is_open_and_what_comes_until_it_is_mended() -> None:
    with centre() as (port, _), Proxy(port, seed=1) as proxy:
        with connected(proxy) as connection:
            assert exchange(connection) == len(ANSWER)
            proxy.cut()
            assert exchange(connection) == 0
        assert is_reset(proxy)
        proxy.mend()
        with connected(proxy) as connection:
            assert exchange(connection) == len(ANSWER)


def test_a_centre_that_is_not_there_is_a_reset() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with Proxy(port, seed=1) as proxy:
        assert is_reset(proxy)
        assert proxy.counts == {"no target": 1}


def test_mishaps_strike_as_often_as_asked_and_the_same_way_for_a_seed() -> None:
    counts = []
    for _ in range(2):
        with centre() as (port, _), Proxy(port, 3, {Mishap.LOSE_RESPONSE: 0.3}) as proxy:
            for _ in range(40):
                with connected(proxy) as connection:
                    exchange(connection)
            counts.append(proxy.counts)
    assert counts[0] == counts[1]
    assert 4 < counts[0][Mishap.LOSE_RESPONSE] < 20


def test_a_stalled_answer_never_comes_and_the_connection_stays_open() -> None:
    with centre() as (port, received), Proxy(port, 1, {Mishap.STALL: 1.0}) as proxy:
        with connected(proxy) as connection:
            connection.settimeout(0.3)
            with pytest.raises(TimeoutError):
                exchange(connection)
        assert received[0] == len(REQUEST)
        assert proxy.counts == {Mishap.STALL: 1}


def test_a_slow_answer_comes_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy_module, "TRICKLE_S", 0.01)
    with centre() as (port, _), Proxy(port, 1, {Mishap.SLOW: 1.0}) as proxy:
        with connected(proxy) as connection:
            assert exchange(connection) == len(ANSWER)
        assert proxy.counts == {Mishap.SLOW: 1}


def test_one_bit_of_the_body_is_flipped_and_none_of_the_headers() -> None:
    headers = b"HTTP/1.1 200 OK\r\n\r\n"
    for seed in range(50):
        chance = random.Random(seed)  # noqa: S311 - chance, not a secret
        limit = Limit(mishap=Mishap.FLIP)
        assert limit.flipped(headers, chance) == headers
        body = limit.flipped(bytes(20), chance)
        assert sum(byte.bit_count() for byte in body) == 1
        assert limit.mishap is None


def test_a_strike_befalls_the_next_exchange_only() -> None:
    with centre() as (port, _), Proxy(port, seed=1) as proxy:
        proxy.strike(Mishap.LOSE_RESPONSE)
        with connected(proxy) as connection:
            assert exchange(connection) == 0
        with connected(proxy) as connection:
            assert exchange(connection) == len(ANSWER)
        assert proxy.counts == {Mishap.LOSE_RESPONSE: 1, "clean": 1}
