"""Devices of which each has a port of its own."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Protocol

from edge_agent.clock import Clock
from edge_agent.errors import ExitCode, OperatorError
from edge_agent.simulator.instrument import Instrument


class Serving(Protocol):
    """Runs one instrument on a port (0: on any); yields the port; raises OSError if it is taken."""

    def __call__(
        self, instrument: Instrument, *, host: str, port: int, clock: Clock
    ) -> AbstractAsyncContextManager[int]:
        """Begin."""


@asynccontextmanager
async def on_ports(
    serving: Serving, instruments: Sequence[Instrument], *, host: str, port: int, clock: Clock
) -> AsyncIterator[tuple[int, ...]]:
    """Serve instruments on ports that follow (0: on any), until the block ends; yields the ports.

    Raises:
        OperatorError: a port is in use.

    """
    ports = []
    async with AsyncExitStack() as stack:
        for index, instrument in enumerate(instruments):
            wanted = port + index if port else 0
            try:
                served = serving(instrument, host=host, port=wanted, clock=clock)
                ports.append(await stack.enter_async_context(served))
            except OSError as error:
                raise OperatorError(
                    f"port {wanted}: {error.strerror or error}. Choose another with --port",
                    exit_code=ExitCode.UNAVAILABLE,
                ) from error
        yield tuple(ports)
