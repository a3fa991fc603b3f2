"""A TCP relay that counts: what goes through it is untouched, each connection is one more."""

from __future__ import annotations

import selectors
import socket
import threading
from contextlib import suppress
from typing import Self

PIECE_BYTES = 65_536
LOOK_S = 0.1


class Relay:
    """Listens on a port of its own, or on a given one, for a server of this machine."""

    def __init__(self, target_port: int, port: int = 0) -> None:
        self._target_port = target_port
        self._listener = socket.create_server(("127.0.0.1", port))
        self._is_ended = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self.port: int = self._listener.getsockname()[1]
        self.count = 0

    def __enter__(self) -> Self:
        """Begin to relay."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End every connection."""
        self._is_ended.set()
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        other: dict[socket.socket, socket.socket] = {}
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            while not self._is_ended.is_set():
                for key, _ in selector.select(LOOK_S):
                    if key.fileobj is self._listener:
                        for one in self._accepted(other):
                            selector.register(one, selectors.EVENT_READ)
                    elif isinstance(key.fileobj, socket.socket) and key.fileobj in other:
                        self._pass_on(key.fileobj, other, selector)
            for one in list(other):
                one.close()

    def _accepted(self, other: dict[socket.socket, socket.socket]) -> list[socket.socket]:
        """Return both ends of a new connection; none where the server is not there."""
        caller, _ = self._listener.accept()
        self.count += 1
        try:
            server = socket.create_connection(("127.0.0.1", self._target_port))
        except OSError:
            caller.close()
            return []
        other[caller], other[server] = server, caller
        return [caller, server]

    def _pass_on(
        self,
        one: socket.socket,
        other: dict[socket.socket, socket.socket],
        selector: selectors.BaseSelector,
    ) -> None:
        """Carry what came to the other end; the end of one is the end of both."""
        with suppress(OSError):
            piece = one.recv(PIECE_BYTES)
            if piece:
                other[one].sendall(piece)
                return
        for end in (one, other.pop(one)):
            selector.unregister(end)
            other.pop(end, None)
            end.close()
