"""uvicorn as the centre runs it: its own socket, its own signals, its limits."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import uvicorn
from fastapi import FastAPI

from central_sync.api.protocol import BoundedProtocol
from central_sync.config import CentreSettings

# A stop waits this long for requests under way; a gateway that was cut off asks again.
STOP_TIMEOUT_S: Final = 10
# Longer than the agent's upload interval of 60 s, so that one connection serves a gateway.
KEEP_ALIVE_S: Final = 75


class Server(uvicorn.Server):
    """uvicorn without its signal handlers: stopping is decided in `serve`."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


def server_config(settings: CentreSettings, app: FastAPI) -> uvicorn.Config:
    """Return how the application is served; TLS is `central_sync.tls`'s."""
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
