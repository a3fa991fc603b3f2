"""Reading request bodies with limits: size, time, and how much all requests hold at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus

from starlette.requests import ClientDisconnect, Request

from central_sync.api.problem import ProblemError
from central_sync.config import Limits

RETRY_AFTER_S = 5


@dataclass(slots=True)
class BodyReader:
    """Reads bodies; what they take in memory together is one budget.

    Only what has come is counted: what is announced costs its sender nothing.
    """

    limits: Limits
    held_bytes: int = 0

    @asynccontextmanager
    async def read(self, request: Request, *, limit: int) -> AsyncIterator[bytes]:
        """Yield a body of at most `limit` bytes, which counts against the budget until the end.

        Raises:
            ProblemError: 411, 413 too large, 408 too slow, 503 too much at once.

        """
        size = _announced(request, limit)
        held = _Held(self)
        try:
            body = await self._whole(request, size, held)
            if "content-encoding" in request.headers:
                held.more(limit)  # it may unpack to this
            yield body
        finally:
            self.held_bytes -= held.count

    async def _whole(self, request: Request, size: int, held: "_Held") -> bytes:
        chunks: list[bytes] = []
        try:
            async with asyncio.timeout(self.limits.body_timeout_s):
                async for chunk in request.stream():
                    held.more(len(chunk))
                    if held.count > size:
                        raise too_large(size, ends_connection=True)
                    chunks.append(chunk)
        except TimeoutError as fault:
            raise ProblemError(
                HTTPStatus.REQUEST_TIMEOUT,
                "slow",
                "the body did not arrive in time",
                ends_connection=True,
            ) from fault
        except ClientDisconnect as fault:
            raise ProblemError(
                HTTPStatus.BAD_REQUEST, "cut_off", "the body ended before its length"
            ) from fault
        return b"".join(chunks)


@dataclass(slots=True)
class _Held:
    """What one request takes of the budget."""

    reader: BodyReader
    count: int = 0

    def more(self, count: int) -> None:
        """Take so many bytes more.

        Raises:
            ProblemError: 503, the budget is used up.

        """
        if self.reader.held_bytes + count > self.reader.limits.bytes_in_flight:
            raise ProblemError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "overload",
                "too many requests are being read",
                retry_after_s=RETRY_AFTER_S,
                ends_connection=True,
            )
        self.reader.held_bytes += count
        self.count += count


def too_large(limit: int, *, ends_connection: bool = False) -> ProblemError:
    """Return the problem of a body beyond a limit."""
    return ProblemError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "too_large",
        f"at most {limit} bytes are taken",
        ends_connection=ends_connection,
    )


def _announced(request: Request, limit: int) -> int:
    """Return how many bytes to expect at most: what the request says, or the limit."""
    length = request.headers.get("content-length")
    if length is None:
        return limit
    if not length.isdecimal():
        raise ProblemError(HTTPStatus.BAD_REQUEST, "length", "Content-Length is no number")
    if int(length) > limit:
        # A sender that is a little wrong reads its answer; nobody reads a flood to its end.
        raise too_large(limit, ends_connection=int(length) > 2 * limit)
    return int(length)
