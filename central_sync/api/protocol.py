"""uvicorn's HTTP protocol with the two limits it lacks: how large and how late a request's head is.

Without them one sender could fill the memory with a header that never ends, or hold every
connection open by sending none.
"""

import asyncio
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# A gateway's head is below 1 KiB; no browser sends more than this.
LARGEST_HEAD_BYTES: Final = 16 * 1024
HEAD_TIMEOUT_S: Final = 10.0


class BoundedProtocol(HttpToolsProtocol):
    """Closes a connection whose head is too large, or not complete in time."""

    _head_bytes = 0
    _is_in_head = True
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Wait for the first head."""
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._forget_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what belongs to a head."""
        if self._is_in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._is_in_head and self._head_bytes > LARGEST_HEAD_BYTES:
            self.transport.close()

    def on_message_begin(self) -> None:
        """Begin to count: a connection that waits for its next request has its own timeout."""
        if not self._is_in_head:
            self._expect_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Stop counting."""
        self._is_in_head = False
        self._forget_deadline()
        super().on_headers_complete()

    def _expect_head(self) -> None:
        self._is_in_head = True
        self._head_bytes = 0
        self._deadline = self.loop.call_later(HEAD_TIMEOUT_S, self.transport.close)

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
