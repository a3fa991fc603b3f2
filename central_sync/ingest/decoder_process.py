"""The decoder: a process that reads bodies and tells what they are; run by `ingest.decoder`.

It has no store, no key and no secret, little memory and little time. It may crash: then it costs
the body it was reading.
"""

import resource
import signal
import socket
import struct
import sys
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from central_sync.ingest.decode import body_of
from central_sync.ingest.decoder_answer import packed
from central_sync.model.arrow import rows_of_arrow
from central_sync.store.admission import Body, Unfit
from edge_agent.wire.arrow import arrow_stream
from edge_agent.wire.frame import FrameFlag
from edge_agent.wire.header import HEADER_SIZE, Header
from edge_agent.wire.readings import ROW
from edge_agent.wire.refusal import Code

COUNTED: Final = struct.Struct("<I")
"""How many bodies follow."""
ASKED: Final = struct.Struct("<II")
"""Frame flags, bytes of the body; behind it the header and the body."""
ANSWERED: Final = struct.Struct("<I")
"""Bytes of the answer."""
READY: Final = b"ready"

MEMORY_BYTES: Final = 256 * 1024 * 1024
"""What reading one body may take: a payload of 4 MiB, its rows, hashes and a window of 8 MiB fit
many times over."""
LIMIT_S: Final = 5.0
"""A body of the largest size takes some 0.2 s; one that takes so long is not read to its end."""


def main() -> None:
    """Answer until the other side has gone."""
    _confine()
    with socket.socket(fileno=0) as line:
        line.sendall(ANSWERED.pack(len(READY)) + READY)
        while True:
            (count,) = COUNTED.unpack(_received(line, COUNTED.size))
            answer = packed([_next(line) for _ in range(count)])
            line.sendall(ANSWERED.pack(len(answer)) + answer)


def _next(line: socket.socket) -> Body:
    """Return what the next body is, within the limits of time and memory."""
    flags, size = ASKED.unpack(_received(line, ASKED.size))
    header, body = _received(line, HEADER_SIZE), _received(line, size)
    signal.setitimer(signal.ITIMER_REAL, LIMIT_S)
    try:
        return body_of(Header.unpack(header), body, FrameFlag(flags))
    except MemoryError:
        detail = f"reading it takes more than {MEMORY_BYTES} bytes of memory"
        return Unfit(code=Code.ARROW, detail=detail)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _confine() -> None:
    """Take away what reading does not need."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # it ends with whoever started it
    # What the library sets up at its first use counts as its own, not as the body's.
    rows_of_arrow(arrow_stream(np.zeros(1, ROW)))
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    most = pages * resource.getpagesize() + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    for nothing in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE):
        resource.setrlimit(nothing, (0, 0))


def _received(line: socket.socket, count: int) -> bytes:
    """Return so many bytes; where the other side has gone, this is the end."""
    received = bytearray()
    while len(received) < count:
        piece = line.recv(min(count - len(received), 1 << 20))
        if not piece:
            sys.exit()
        received += piece
    return bytes(received)


if __name__ == "__main__":
    pa.set_memory_pool(pa.system_memory_pool())
    main()
