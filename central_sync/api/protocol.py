"""uvicorn's HTTP protocol with what it lacks: limits, and the certificate of the client.

Limits are on heads, and on what comes after an answer. Without them one sender could fill the
memory with a header that never ends, before a body or behind it, or hold every connection open by
sending nothing, or what nobody reads.
"""

import asyncio
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from central_sync.api.peer import KEY, Peer, peer_at

# A gateway's head is below 1 KiB; no browser sends more than this.
LARGEST_HEAD_BYTES: Final = 16 * 1024
HEAD_TIMEOUT_S: Final = 10.0
# A body that nobody reads any more must end within HEAD_TIMEOUT_S and this, or with its connection.
LARGEST_UNREAD_BYTES: Final = 16 * 1024 * 1024


class BoundedProtocol(HttpToolsProtocol):
    """Closes a connection whose head is too large, or not complete in time."""

    _head_bytes = 0
    _is_in_head = True
    _is_in_message = False
    _begun_count = 0
    _framing_bytes = 0
    _unread_bytes = 0
    _deadline: asyncio.TimerHandle | None = None
    _peer: Peer | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Wait for the first head."""
        super().connection_made(transport)
        self._peer = peer_at(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._forget_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what belongs to no body, and what comes too late."""
        if self._is_in_head:
            self._head_bytes += len(data)
        self._framing_bytes += len(data)
        was_in_message, begun_count = self._is_in_message, self._begun_count
        super().data_received(data)
        if self._is_in_head:
            if self._head_bytes > LARGEST_HEAD_BYTES:
                self.transport.close()
            return
        if self._framing_bytes > LARGEST_HEAD_BYTES or self._unread_bytes > LARGEST_UNREAD_BYTES:
            self.transport.close()
        is_stray = not was_in_message and self._begun_count == begun_count
        is_late = self.cycle.response_complete and (self._is_in_message or is_stray)
        if is_late and self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_TIMEOUT_S, self.transport.close)

    def on_message_begin(self) -> None:
        """Begin to count: a connection that waits for its next request has its own timeout."""
        if not self._is_in_head:
            self._expect_head()
        self._begun_count += 1
        self._is_in_message = True
        super().on_message_begin()
        self.scope["state"][KEY] = self._peer

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; what stands behind a body is none."""
        if self._is_in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Stop counting."""
        super().on_headers_complete()
        self._is_in_head = False
        self._framing_bytes = 0
        self._unread_bytes = 0
        self._forget_deadline()

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body, or count it if nobody reads it."""
        self._framing_bytes = 0
        if self.cycle.response_complete:
            self._unread_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Leave a connection alone that waits for its next request."""
        self._is_in_message = False
        self._framing_bytes = 0
        self._forget_deadline()
        super().on_message_complete()

    def _expect_head(self) -> None:
        self._forget_deadline()
        self._is_in_head = True
        self._head_bytes = 0
        self._deadline = self.loop.call_later(HEAD_TIMEOUT_S, self.transport.close)

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
