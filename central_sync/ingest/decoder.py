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
from typing import Final, NamedTuple, Self, TypeAlias
from uuid import UUID

import structlog

from central_sync.ingest.committer import OverloadedError
from central_sync.ingest.decode import body_of
from central_sync.ingest.decoder_answer import GarbledAnswerError, unpacked
from central_sync.ingest.decoder_process import ANSWERED, ASKED, COUNTED, LIMIT_S, READY
from central_sync.store.admission import Body, Unfit
from edge_agent.wire.frame import FrameFlag
from edge_agent.wire.header import Header
from edge_agent.wire.refusal import Code


class Asked(NamedTuple):
    """A verified header, and the body that came with it."""

    header: Header
    body: bytes
    flags: FrameFlag


ReadBodies: TypeAlias = Callable[[Sequence[Asked]], Sequence[Body]]
"""Finds out what the bodies of verified headers of one gateway are."""

PROGRAM: Final = ("-m", "central_sync.ingest.decoder_process")
TRIES: Final = 2
# It imports its libraries first, on a machine that may be busy with a thousand gateways.
START_LIMIT_S: Final = 60.0
# A process that has let go of its line is gone by then, however busy the machine is.
END_LIMIT_S: Final = 10.0
# The names of 1,024 losses fit, for as many bodies as are read at once.
LARGEST_ANSWER: Final = 16 * 1024 * 1024
# What a decoder inherits of the environment: enough to find its modules, and no secret.
INHERITED: Final = ("PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "LANG", "LD_LIBRARY_PATH")

log = structlog.get_logger()


def read_here(asked: Sequence[Asked]) -> list[Body]:
    """Read bodies in this process: for whoever trusts them, or has nothing to lose."""
    return [body_of(*one) for one in asked]


class DecoderEndedError(Exception):
    """A decoder ended while it read a body."""


class Decoders:
    """A few decoders; any thread may call it, and of one gateway one call is served at a time."""

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

    def __call__(self, asked: Sequence[Asked]) -> list[Body]:
        """Return what the bodies of some verified headers of one gateway are.

        Raises:
            OverloadedError: no decoder can be started now; come again.

        """
        if not asked:
            return []
        gateway_id = asked[0].header.gateway_id
        with self._turn(gateway_id):
            try:
                return self._told(asked)
            except DecoderEndedError as ended:
                log.warning("decoder.ended", gateway=str(gateway_id), reason=str(ended))
            # One of them did it: each is read alone.
            return [self._alone(one) for one in asked]

    def _alone(self, asked: Asked) -> Body:
        """Return what one body is; one that ends its decoder is not tried for ever."""
        for count in range(1, TRIES + 1):
            try:
                return self._told([asked])[0]
            except DecoderEndedError as ended:
                gateway, reason = str(asked.header.gateway_id), str(ended)
                log.warning("decoder.ended", gateway=gateway, reason=reason)
                if count == TRIES:
                    detail = f"reading it ended {TRIES} decoders, the last one {reason}"
                    return Unfit(code=Code.ARROW, detail=detail)
        raise AssertionError("TRIES is at least one")

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

    def _told(self, asked: Sequence[Asked]) -> list[Body]:
        with self._changed:
            decoder = self._idle.pop() if self._idle else None
        if decoder is None:
            decoder = _Decoder(self._program)
        is_good = False
        try:
            answer = decoder.answer(asked)
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

    def answer(self, asked: Sequence[Asked]) -> list[Body]:
        """Return what the decoder makes of some bodies.

        Raises:
            DecoderEndedError: it ended, took too long, or answered nonsense.
            OverloadedError: somebody else ended it.

        """
        patience_s = LIMIT_S * len(asked) + 2
        question = [COUNTED.pack(len(asked))]
        for one in asked:
            head = ASKED.pack(one.flags, len(one.body))
            question += head, one.header.pack(), one.body
        try:
            self._line.settimeout(patience_s)
            self._line.sendall(b"".join(question))
            return unpacked(self._received(monotonic() + patience_s), len(asked))
        except GarbledAnswerError as fault:
            raise DecoderEndedError(f"answered nonsense: {fault}") from fault
        except TimeoutError as fault:
            raise DecoderEndedError("took too long") from fault
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
            except TimeoutError as fault:
                raise DecoderEndedError("took too long") from fault
            except OSError as fault:
                raise self._how_it_ended() from fault
            if not piece:
                raise self._how_it_ended()
            received += piece
        return bytes(received)

    def _how_it_ended(self) -> DecoderEndedError | OverloadedError:
        """Return what became of a process that has let go of its line."""
        try:
            code = self._process.wait(timeout=END_LIMIT_S)
        except subprocess.TimeoutExpired:
            return DecoderEndedError("let go of its line, and lives on")
        if code == -signal.SIGKILL:  # not its own doing: the machine lacks memory, or a person did
            return OverloadedError("a decoder was ended from outside")
        if code == -signal.SIGALRM:
            return DecoderEndedError("took too long")
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with {code}"
        return DecoderEndedError(how)
