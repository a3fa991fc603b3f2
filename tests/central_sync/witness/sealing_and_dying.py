"""Seals what is due in a state folder, and is killed at the N-th call that touches the disk."""

import os
import signal
import sys
from pathlib import Path
from types import FrameType

TOUCHING = ("write", "fsync", "replace", "mkdir", "flush", "execute", "rename")


def main() -> int:
    """Seal; argv: state folder, number of the call."""
    from tests.central_sync.evaluate.signing_gateway import Centre  # noqa: PLC0415 - not counted
    from tests.central_sync.witness.test_sealing import DAY, sealer  # noqa: PLC0415 - the same

    centre = Centre(Path(sys.argv[1]))
    centre.clock.now_ns += 3 * DAY
    left = int(sys.argv[2])

    def watch(_: FrameType, event: str, called: object) -> None:
        nonlocal left
        if event == "c_call" and getattr(called, "__name__", "") in TOUCHING:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(watch)
    try:
        sealer(centre).run()
    finally:
        sys.setprofile(None)
    centre.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
