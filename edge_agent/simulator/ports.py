"""Devices of which each has a port of its own."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

from edge_agent.errors import ExitCode, OperatorError
from edge_agent.simulator.instrument import Instrument

Serve = Callable[[Instrument, int], AbstractAsyncContextManager[int]]


@asynccontextmanager
async def on_ports(
    instruments: Sequence[Instrument], port: int, serve: Serve
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
                ports.append(await stack.enter_async_context(serve(instrument, wanted)))
            except OSError as error:
                raise OperatorError(
                    f"port {wanted}: {error.strerror or error}. Choose another with --port",
                    exit_code=ExitCode.UNAVAILABLE,
                ) from error
        yield tuple(ports)
