"""Seals a store again and again, each time killed one disk-touching call later, until it is done.

Each try is a fork of this process, so that nothing but sealing is counted. Ends with one line of
JSON about what was found after each kill.
"""

import json
import os
import shutil
import signal
import sys
from pathlib import Path
from types import FrameType

from central_sync.ingest.admit import admit
from central_sync.ingest.receipt_key import receipts_by
from central_sync.store.embedded import EmbeddedStore
from central_sync.store.segments import SegmentFolder
from central_sync.witness.sealing import Sealer
from tests.central_sync.evaluate.signing_gateway import HOUR, TEN
from tests.conformance.store.stores import RECEIPT_KEY

DAY = 24 * HOUR
NOW = TEN + 5 * DAY
TOUCHING = frozenset(("write", "fsync", "replace", "mkdir", "flush", "execute", "rename"))
TRIES_AT_MOST = 1000


def opened(file: Path) -> EmbeddedStore:
    """Open the store."""
    return EmbeddedStore(file, admit=admit, sign=receipts_by(RECEIPT_KEY), now_ns=lambda: NOW)


def everything(file: Path) -> tuple[list[tuple[bytes, bytes, bytes, bytes]], int]:
    """Return the signed bytes and receipt of every batch, and how many are in no segment."""
    store = opened(file)
    found = [
        (batch.header_bytes, batch.signature, batch.body, batch.receipt)
        for line in store.lines(None, None, None)
        for batch in store.line_batches(line, None, 1000)
    ]
    left = len(store.unsealed(2**62, 2**62))
    store.close()
    return found, left


def seal(file: Path, calls: int) -> None:
    """Seal, killed at the so-many-th call."""
    store = opened(file)
    folder = SegmentFolder(file.parent / "segments")
    sealer = Sealer(store=store, folder=folder, now_ns=lambda: NOW, seal_after_ns=DAY)

    def watch(_: FrameType, event: str, called: object) -> None:
        nonlocal calls
        if event == "c_call" and getattr(called, "__name__", "") in TOUCHING:
            calls -= 1
            if calls == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(watch)
    sealer.run()
    sys.setprofile(None)


def main() -> int:
    """Try until a try is not killed; argv: the file of a store."""
    original = Path(sys.argv[1])
    before, _ = everything(original)
    differing: list[int] = []
    kills = stood = 0
    left = -1
    for calls in range(1, TRIES_AT_MOST):
        folder = original.parent / f"try{calls}"
        folder.mkdir()
        file = folder / original.name
        shutil.copy(original, file)
        child = os.fork()
        if child == 0:
            seal(file, calls)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        found, left = everything(file)
        if found != before:
            differing.append(calls)
        stood += any(folder.glob("segments/*.segment"))
        shutil.rmtree(folder)
        if not os.WIFSIGNALED(status):
            break
        kills += 1
    told = {
        "kills": kills,
        "differing": differing,
        "left": left,
        "kills_after_the_file_stood": stood,
    }
    print(json.dumps(told))
    return 0


if __name__ == "__main__":
    sys.exit(main())
