"""The line between two namespaces carries packets, and loses or alters them as it is told."""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from tests.faults.tunnel import CENTRE_ADDRESS, CLEAR, Tunnel, Way, Weather, missing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(bool(missing()), reason=f"it needs {missing()}"),
]
SENT = b"x" * 20_000
# Sends to the name of the machine itself, and says what came back: as much, if all went well.
CALLER = f"""
import socket, sys
try:
    with socket.create_connection(("localhost", int(sys.argv[1])), timeout=1.5) as caller:
        caller.sendall(b"x" * {len(SENT)})
        caller.shutdown(socket.SHUT_WR)
        print(sum(iter(lambda: len(caller.recv(65536)), 0)))
except OSError as error:
    print(type(error).__name__)
"""


@contextmanager
def echo(tunnel: Tunnel) -> Iterator[int]:
    """Yield the port of a server at the centre's end that sends back what it gets."""
    listening: list[socket.socket] = []

    def listen() -> None:
        tunnel.enter_centre()
        listening.append(socket.create_server((CENTRE_ADDRESS, 0)))

    maker = Thread(target=listen)
    maker.start()
    maker.join()
    (listener,) = listening

    def serve() -> None:
        while True:
            try:
                answering, _ = listener.accept()
            except OSError:
                return
            with answering:
                answering.settimeout(2.0)
                try:
                    while some := answering.recv(65_536):
                        answering.sendall(some)
                except OSError:
                    continue

    server = Thread(target=serve)
    server.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    server.join()


def said(tunnel: Tunnel, port: int, folder: Path) -> str:
    """Return what the caller at the gateway's end says."""
    command = [*tunnel.at_gateway(folder / "hosts"), sys.executable, "-c", CALLER, str(port)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_a_clear_line_carries_everything(tmp_path: Path) -> None:
    with Tunnel(1) as tunnel, echo(tunnel) as port:
        assert said(tunnel, port, tmp_path) == str(len(SENT))
        assert set(tunnel.counts) == {"carried", "doubled"}
        assert tunnel.counts["doubled"] == 0


def test_what_is_lost_and_altered_is_made_good_by_tcp(tmp_path: Path) -> None:
    rough = Weather(loss=0.1, corruption=0.1, doubling=0.1)
    with Tunnel(2, weather=rough) as tunnel, echo(tunnel) as port:
        assert said(tunnel, port, tmp_path) in {str(len(SENT)), "TimeoutError"}
        assert all(tunnel.counts[name] for name in ("lost", "corrupted", "doubled"))


@pytest.mark.parametrize("way", Way)
def test_a_line_that_is_cut_one_way_is_no_line_and_heals_at_once(way: Way, tmp_path: Path) -> None:
    with Tunnel(3) as tunnel, echo(tunnel) as port:
        tunnel.weather = Weather(cut=frozenset({way}))
        assert said(tunnel, port, tmp_path) == "TimeoutError"
        assert tunnel.counts[f"cut {way}"]
        tunnel.weather = CLEAR
        assert said(tunnel, port, tmp_path) == str(len(SENT))
