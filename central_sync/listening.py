"""The socket and the web server on it: limits, and no will of its own."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import uvicorn
from fastapi import FastAPI

from central_sync.api.protocol import BoundedProtocol
from central_sync.config import CentreSettings, ExitCode, OperatorError

# A stop waits this long for requests under way; a gateway that was cut off asks again.
STOP_TIMEOUT_S: Final = 10
# Longer than the agent's upload interval of 60 s, so that one connection serves a gateway.
KEEP_ALIVE_S: Final = 75


def listening_socket(settings: CentreSettings) -> socket.socket:
    """Return a socket that listens where the settings say.

    Raises:
        OperatorError: the port is in use (exit code 69) or may not be used (77).

    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(1024)
    except OSError as fault:
        listener.close()
        denied = isinstance(fault, PermissionError)
        raise OperatorError(
            f"listen: {settings.listen}: {fault.strerror}. Stop what listens there, or choose"
            " another port with --listen",
            exit_code=ExitCode.PERMISSION if denied else ExitCode.UNAVAILABLE,
        ) from fault
    return listener


class Server(uvicorn.Server):
    """uvicorn without its signal handlers: stopping is decided in `app.serve`."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


def server_config(settings: CentreSettings, app: FastAPI) -> uvicorn.Config:
    """Return what the server is told."""
    return uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=settings.limits.connections,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=STOP_TIMEOUT_S,
        http=BoundedProtocol,
        ws="none",
    )
