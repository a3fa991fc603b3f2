"""Bodies are read in processes of their own: a crash or a hang costs one body, never the centre.

A body that ends its decoder twice is unfit: its bytes are kept as evidence and the chain goes on.
"""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Condition
from time import monotonic
from typing import Final, Self, TypeAlias
from uuid import UUID

import structlog

from central_sync.ingest.committer import OverloadedError
from central_sync.ingest.decoder_answer import GarbledAnswerError, unpacked
from central_sync.ingest.decoder_process import ANSWERED, ASKED, LIMIT_S, READY
from central_sync.store.admission import Body, Unfit
from edge_agent.wire.frame import FrameFlag
from edge_agent.wire.header import Header
from edge_agent.wire.refusal import Code

ReadBody: TypeAlias = Callable[[Header, bytes, FrameFlag], Body]
"""Finds out what the body of a verified header is."""

PROGRAM: Final = ("-m", "central_sync.ingest.decoder_process")
TRIES: Final = 2
# It imports its libraries first, on a machine that may be busy with a thousand gateways.
START_LIMIT_S: Final = 60.0
# A decoder ends itself at LIMIT_S; whoever does not is ended.
PATIENCE_S: Final = LIMIT_S + 2
# Names of up to 1,024 losses fit many times over.
LARGEST_ANSWER: Final = 4 * 1024 * 1024
# What a decoder inherits of the environment: enough to find its modules, and no secret.
INHERITED: Final = ("PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "LANG", "LD_LIBRARY_PATH")

log = structlog.get_logger()


class DecoderEndedError(Exception):
    """A decoder ended while it read a body."""


class Decoders:
    """A few decoders; any thread may call `body_of`, and of one gateway one body is read a time."""

    def __init__(self, count: int | None = None, program: Sequence[str] = PROGRAM) -> None:
        self._program = program
        self._idle: list[_Decoder] = []
        self._count = count or max(2, os.cpu_count() or 1)
        self._running = 0
        self._busy: set[UUID] = set()
        self._changed = Condition()
        self._is_closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for decoder in idle:
            decoder.end()

    def body_of(self, header: Header, body: bytes, flags: FrameFlag) -> Body:
        """Return what the body of a verified header is.

        Raises:
            OverloadedError: no decoder can be started now; come again.

        """
        with self._turn(header.gateway_id):
            for _ in range(TRIES - 1):
                try:
                    return self._asked(header, body, flags)
                except DecoderEndedError as ended:
                    log.warning("decoder.ended", gateway=str(header.gateway_id), reason=str(ended))
            try:
                return self._asked(header, body, flags)
            except DecoderEndedError as ended:
                reason = f"reading it ended {TRIES} decoders, the last one {ended}"
                log.error("batch.poisonous", gateway=str(header.gateway_id), reason=reason)
                return Unfit(code=Code.ARROW, detail=reason)

    @contextmanager
    def _turn(self, gateway_id: UUID) -> Iterator[None]:
        """Wait until no other body of this gateway is being read, and a decoder is free."""
        with self._changed:
            self._changed.wait_for(
                lambda: gateway_id not in self._busy and len(self._busy) < self._count
            )
            self._busy.add(gateway_id)
        try:
            yield
        finally:
            with self._changed:
                self._busy.discard(gateway_id)
                self._changed.notify_all()

    def _asked(self, header: Header, body: bytes, flags: FrameFlag) -> Body:
        with self._changed:
            decoder = self._idle.pop() if self._idle else None
        if decoder is None:
            decoder = _Decoder(self._program)
        is_good = False
        try:
            answer = decoder.answer(header.pack(), body, flags)
            is_good = True
        finally:
            with self._changed:
                is_kept = is_good and not self._is_closed
                if is_kept:
                    self._idle.append(decoder)
            if not is_kept:
                decoder.end()
        return answer


class _Decoder:
    """One process, and the line to it."""

    def __init__(self, program: Sequence[str]) -> None:
        ours, theirs = socket.socketpair()
        environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
        with theirs:
            try:
                self._process = subprocess.Popen(  # noqa: S603 - our own program
                    [sys.executable, *program],
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    env=environment,
                )
            except OSError as fault:
                ours.close()
                raise OverloadedError(f"no decoder can be started: {fault}") from fault
        self._line = ours
        try:
            is_ready = self._received(monotonic() + START_LIMIT_S) == READY
        except OverloadedError:
            self.end()
            raise
        except DecoderEndedError as ended:
            self.end()
            raise OverloadedError(f"a decoder ended before it began: {ended}") from ended
        if not is_ready:
            self.end()
            raise OverloadedError("a decoder did not begin")

    def answer(self, header: bytes, body: bytes, flags: FrameFlag) -> Body:
        """Return what the decoder makes of a body.

        Raises:
            DecoderEndedError: it ended, took too long, or answered nonsense.
            OverloadedError: somebody else ended it.

        """
        until_s = monotonic() + PATIENCE_S
        try:
            self._line.settimeout(PATIENCE_S)
            self._line.sendall(ASKED.pack(flags, len(body)) + header + body)
            return unpacked(self._received(until_s))
        except GarbledAnswerError as fault:
            raise DecoderEndedError(f"answered nonsense: {fault}") from fault
        except OSError as fault:
            raise self._how_it_ended() from fault

    def end(self) -> None:
        """End the process, whatever it does."""
        self._line.close()
        self._process.kill()
        self._process.wait()

    def _received(self, until_s: float) -> bytes:
        (size,) = ANSWERED.unpack(self._exactly(ANSWERED.size, until_s))
        if size > LARGEST_ANSWER:
            raise DecoderEndedError(f"wanted to answer {size} bytes")
        return self._exactly(size, until_s)

    def _exactly(self, count: int, until_s: float) -> bytes:
        received = bytearray()
        while len(received) < count:
            self._line.settimeout(max(0.001, until_s - monotonic()))
            try:
                piece = self._line.recv(count - len(received))
            except OSError as fault:
                raise self._how_it_ended() from fault
            if not piece:
                raise self._how_it_ended()
            received += piece
        return bytes(received)

    def _how_it_ended(self) -> DecoderEndedError | OverloadedError:
        """Return what became of a process that does not answer."""
        try:
            code = self._process.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            return DecoderEndedError("took too long")
        if code == -signal.SIGKILL:  # not its own doing: the machine lacks memory, or a person did
            return OverloadedError("a decoder was ended from outside")
        if code == -signal.SIGALRM:
            return DecoderEndedError("took too long")
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with {code}"
        return DecoderEndedError(how)
