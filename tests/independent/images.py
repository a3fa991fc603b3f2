"""Judge what a gateway brought out of damaged buffers against the sound ones they were made of.

Shares no code with the product (docs/wire-format.md and the format of SQLite files are its only
sources). Reads lines {"sound", "damaged", "uploaded"}: a sound buffer file, its damaged copy, and
the frames that the gateway offers for upload after it started on that copy. Prints one JSON report;
exit code 0: nothing wrong was offered, nothing lost without a word, and enough brought back of what
was intact; 1: not so; 2: no verdict.
"""

from __future__ import annotations

import argparse
import json
import struct
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from ewcheck.batch import verified
from ewcheck.events import whole_number
from ewcheck.faults import InvalidError
from ewcheck.image import LOG_SUFFIX, Image
from ewcheck.receipt import key_id
from ewcheck.store import buffer_batches

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ewcheck.batch import Batch, Keys

ENOUGH = 0.99
# The share is one over so many intact batches at least: of fewer, as many may be missing as of
# these. A piece of ten images sees some hundred, and one or two of them say nothing of a share.
JUDGED_FROM = 1_000
FRAME = struct.Struct("<II")
HEADER, SIGNATURE = 312, 64
SHOWN = 5


def frames(path: Path) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Yield header, signature and body of each frame (docs/wire-format.md section 3)."""
    content, at = path.read_bytes(), 0
    while at < len(content):
        length, _ = FRAME.unpack_from(content, at)
        frame = content[at + 8 : at + 4 + length]
        yield frame[:HEADER], frame[HEADER : HEADER + SIGNATURE], frame[HEADER + SIGNATURE :]
        at += 4 + length


def is_enough(intact: int, salvaged: int) -> bool:
    """Return whether enough of what was intact is offered, as far as the count can tell."""
    return intact - salvaged <= (1 - ENOUGH) * max(intact, JUDGED_FROM)


class Judge:
    """Counts over all images."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._sound: dict[Path, tuple[Image, Mapping[bytes, bool], Mapping[bytes, bytes]]] = {}
        self.counts: Counter[str] = Counter()
        self.shown: list[str] = []

    def take(self, sound: Path, damaged: Path, uploaded: Path) -> None:
        """Judge one image."""
        image, receipted, headers = self._known(sound)
        offered = self._offered(uploaded)
        intact = self._intact(image, damaged)
        losses = list(_losses(offered))
        # Nothing names a chain of which nothing is left: that it ended, the beginning of the new
        # one tells. How many batches those have is counted.
        named = {batch.header.chain_id for batch in offered.values()} | {one[0] for one in losses}
        self.counts["images"] += 1
        in_doubt = _in_doubt(image, damaged, intact)
        for name, is_receipted in receipted.items():
            if is_receipted:
                continue
            if name in in_doubt:
                self.counts["in_doubt"] += 1
                continue
            self.counts["waiting"] += 1
            is_there = name in offered
            if name in intact:
                self.counts["intact"] += 1
                self.counts["salvaged"] += is_there
                if not is_there:
                    self._say(f"{damaged}: {name.hex()[:12]} is intact and not offered")
            elif is_there:
                self.counts["salvaged_though_moved"] += 1
            if is_there or _is_told(headers[name], losses):
                continue
            is_named = headers[name][32:48] in named
            self.counts["silently_lost" if is_named else "of_chains_without_a_trace"] += 1
            self._say(f"{damaged}: {name.hex()[:12]} is lost without a word")

    def _known(self, sound: Path) -> tuple[Image, Mapping[bytes, bool], Mapping[bytes, bytes]]:
        if sound not in self._sound:
            rows = list(buffer_batches(sound))
            receipted = {row.batch_hash: row.is_receipted for row in rows}
            headers = {row.batch_hash: row.header for row in rows}
            self._sound = {sound: (Image(sound), receipted, headers)}
        return self._sound[sound]

    def _offered(self, uploaded: Path) -> dict[bytes, Batch]:
        """Return what is offered, by hash; every batch must verify."""
        found: dict[bytes, Batch] = {}
        for header, signature, body in frames(uploaded):
            try:
                batch = verified(header, signature, body, self._keys)
            except InvalidError as error:
                self.counts["invalid"] += 1
                self._say(f"{uploaded}: {error}")
                continue
            found[batch.header.batch_hash] = batch
        self.counts["offered"] += len(found)
        return found

    def _intact(self, image: Image, damaged: Path) -> set[bytes]:
        """Return the batches all of whose bytes are where they were."""
        files = {
            suffix: file.read_bytes()
            if (file := damaged.with_name(damaged.name + suffix)).exists()
            else b""
            for suffix in ("", LOG_SUFFIX)
        }
        return {
            name
            for name, extents in image.batches().items()
            if all(
                files[extent.suffix][extent.at : extent.at + len(extent.content)] == extent.content
                for extent in extents
            )
        }

    def _say(self, words: str) -> None:
        if len(self.shown) < SHOWN:
            self.shown.append(words)


def _in_doubt(image: Image, damaged: Path, intact: set[bytes]) -> set[bytes]:
    """Return the batches of which nobody can know whether they were ever committed.

    The end of a log may be what a power cut leaves of one transaction that was never finished
    (docs/adr/0011-salvage.md). It is not where a batch of a later transaction is left: that one
    was begun when what came before it had been flushed.
    """
    log = damaged.with_name(damaged.name + LOG_SUFFIX)
    damaged_from = image.damaged_from(log.read_bytes() if log.exists() else b"")
    made = {name: image.transaction(extents) for name, extents in image.batches().items()}
    newest = max((made[name] for name in intact), default=-1)
    return {name for name, index in made.items() if index >= max(damaged_from, newest)}


def _losses(offered: Mapping[bytes, Batch]) -> Iterator[tuple[bytes, int, int, int, int]]:
    """Yield chain, numbers and times of every signed loss."""
    for batch in offered.values():
        for event in batch.events:
            if event["type"] == "loss":
                chain = bytes.fromhex(str(event["chain"]).replace("-", ""))
                numbers = (whole_number(event, "first_batch"), whole_number(event, "last_batch"))
                yield chain, *numbers, int(str(event["from_ns"])), int(str(event["to_ns"]))


def _is_told(header: bytes, losses: Sequence[tuple[bytes, int, int, int, int]]) -> bool:
    """Return whether a batch is given up by its number, or behind it by when it was sealed."""
    chain, number = header[32:48], int.from_bytes(header[48:56], "little")
    wall_ns = int.from_bytes(header[96:104], "little")
    # The time counts only behind the numbers: where the end of a chain is not known.
    return any(
        of == chain and first <= number and (number <= last or from_ns < wall_ns <= to_ns)
        for of, first, last, from_ns, to_ns in losses
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge as the arguments say, print the report and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path, help='JSON lines {"sound", "damaged", "uploaded"}')
    parser.add_argument("--key", required=True, help="public key of the gateway, 32 bytes in hex")
    options = parser.parse_args(arguments)
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(options.key))
        judge = Judge({key_id(key): key})
        for line in options.images.read_text().splitlines():
            said = {name: Path(path) for name, path in json.loads(line).items()}
            judge.take(said["sound"], said["damaged"], said["uploaded"])
    except (OSError, ValueError, struct.error) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    counts = judge.counts
    share = counts["salvaged"] / counts["intact"] if counts["intact"] else 1.0
    names = (
        "images",
        "waiting",
        "intact",
        "salvaged",
        "salvaged_though_moved",
        "in_doubt",
        "of_chains_without_a_trace",
        "silently_lost",
    )
    report = {name: counts[name] for name in (*names, "offered", "invalid")}
    sys.stdout.write(
        json.dumps({**report, "salvaged_share": round(share, 6), "shown": judge.shown}) + "\n"
    )
    wrong = counts["invalid"] + counts["silently_lost"]
    return 0 if is_enough(counts["intact"], counts["salvaged"]) and not wrong else 1


if __name__ == "__main__":
    sys.exit(main())
