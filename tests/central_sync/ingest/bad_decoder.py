"""A decoder that dies in all the ways in which one can; which, says the number of the batch."""

import os
import signal
import sys
from typing import Final

from central_sync.ingest import decoder_process
from central_sync.ingest.decode import body_of
from central_sync.store.admission import Body
from edge_agent.wire.frame import FrameFlag
from edge_agent.wire.header import Header

CRASHES, HANGS, EATS, BABBLES, IS_KILLED, STOPS, EXITS = range(1, 8)
LIMIT_S: Final = 0.5


def bad_body_of(header: Header, body: bytes, flags: FrameFlag) -> Body:
    """Do what the number of the batch asks for, or what a decoder does."""
    match header.batch_no:
        case 1:
            os.kill(os.getpid(), signal.SIGSEGV)
        case 2:
            while True:
                pass
        case 3:
            bytes(decoder_process.MEMORY_BYTES + 1)
        case 4:
            os.write(0, (8).to_bytes(4, "little") + b"nonsense")
        case 5:
            os.kill(os.getpid(), signal.SIGKILL)
        case 7:
            sys.exit(3)
    return body_of(header, body, flags)


if __name__ == "__main__":
    decoder_process.body_of = bad_body_of  # type: ignore[attr-defined] # its own, replaced
    decoder_process.LIMIT_S = LIMIT_S  # type: ignore[misc] # a shorter one, so that no test waits
    decoder_process.main()
