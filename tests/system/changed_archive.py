"""An archive in memory, changes of single bytes in it, and the short ways to verify each.

The long way is the whole auditor; `Bench.whole` takes it.
"""

from __future__ import annotations

import io
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, BinaryIO

from central_sync.audit.batch import check_batch
from central_sync.audit.log import check_root, parsed
from central_sync.audit.verify import Audit
from central_sync.proofs.archive import (
    BATCHES,
    BUNDLES,
    CHECKPOINT,
    ENTRIES,
    PROFILES,
    PROOF,
    RESULTS,
    read_record,
)
from edge_agent.wire.compression import decompress
from edge_agent.wire.header import HEADER_SIZE, Header
from edge_agent.wire.receipt import RECEIPT_SIZE
from edge_agent.wire.refusal import RefusedError
from edge_agent.wire.signing import SIGNATURE_SIZE
from edge_agent.wire.vocabulary import HASH_SIZE

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Mapping

    from central_sync.audit.facts import Facts
    from central_sync.audit.report import Report
    from central_sync.proofs.note import Checkpoint
    from edge_agent.wire.vocabulary import Hash


@dataclass(frozen=True)
class MemorySource:
    """An archive in memory."""

    files: Mapping[str, bytes]

    def names(self) -> frozenset[str]:
        return frozenset(self.files)

    def open(self, name: str) -> BinaryIO:
        return io.BytesIO(self.files[name])


@dataclass(frozen=True)
class Change:
    """One byte of one file, and what it becomes."""

    name: str
    place: int
    value: int

    def applied(self, octets: bytes) -> bytes:
        """Return a file with the change."""
        return octets[: self.place] + bytes([self.value]) + octets[self.place + 1 :]


@dataclass
class Bench:
    """An archive that holds, and the short ways to verify what a change touches."""

    files: dict[str, bytes]
    has_content: bool = True
    starts: dict[str, list[int]] = field(default_factory=dict)
    places: list[dict[int, Hash]] = field(default_factory=list)
    found_by: Counter[str] = field(default_factory=Counter)
    found_by_careful: Counter[str] = field(default_factory=Counter)
    undetected: list[Change] = field(default_factory=list)
    misnamed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        base = Audit(MemorySource(self.files))._base()
        assert base is not None
        self.base = base
        self.facts: Facts = base.entries.facts
        self.checkpoint: Checkpoint = base.checkpoint
        for name in self.files:
            if name.startswith(f"{BATCHES}/"):
                self.starts[name] = list(self._walk(name))

    def _walk(self, name: str) -> Iterator[int]:
        """Yield where the records of a line begin; note their places in the log."""
        file = io.BytesIO(self.files[name])
        places: dict[int, Hash] = {}
        start = 0
        while (record := read_record(file.read)) is not None:
            yield start
            checked = check_batch(record, self.facts, has_content=self.has_content)
            assert checked.log_index is not None
            places[checked.log_index] = checked.leaf
            start = file.tell()
        self.places.append(places)

    def change(self, chance: random.Random) -> Change:
        """Return a change: by bytes, or by file so that small ones are not forgotten."""
        names = sorted(self.files)
        weights = [len(self.files[name]) for name in names]
        pick = chance.choices(names, weights)[0] if chance.random() < 0.5 else chance.choice(names)
        while not self.files[pick]:
            pick = chance.choice(names)
        place = chance.randrange(len(self.files[pick]))
        value = self.files[pick][place] ^ chance.randrange(1, 256)
        return Change(pick, place, value)

    def try_one(self, change: Change) -> None:
        """Verify what a change touches; note what found it."""
        octets = change.applied(self.files[change.name])
        folder = change.name.partition("/")[0]
        if folder == BATCHES:
            code = self._record(change, octets)
            self._careful(change)
        elif folder in (BUNDLES, PROFILES):
            is_other = sha256(octets).hexdigest() != change.name.partition("/")[2]
            code = f"{folder} hash" if is_other else None
        elif change.name == RESULTS:
            code = self._results(octets)
        else:
            code = self._log(change.name, octets)
        if code is None:
            self.undetected.append(change)
        else:
            self.found_by[code] += 1

    def _record(self, change: Change, octets: bytes) -> str | None:
        """Return which check of the record that was touched fails; None: none of them."""
        file = io.BytesIO(octets)
        file.seek(self._start(change))
        try:
            record = read_record(file.read)
            if record is None:
                return "batch end"
            checked = check_batch(record, self.facts, has_content=self.has_content)
        except RefusedError as refused:
            return f"batch {refused.code}"
        known = any(places.get(checked.log_index or 0) == checked.leaf for places in self.places)
        return None if known else "batch log"

    def _careful(self, change: Change) -> None:
        """Try a change inside a frame with the frame's hash put right."""
        octets, start = self.files[change.name], self._start(change)
        end = start + 4 + int.from_bytes(octets[start : start + 4], "little")
        if not start + 4 <= change.place < end:
            return
        framed = Change(change.name, change.place - start, change.value).applied(octets[start:end])
        receipt = octets[end + HASH_SIZE : end + HASH_SIZE + RECEIPT_SIZE]
        try:
            record = read_record(io.BytesIO(framed + sha256(framed).digest() + receipt).read)
            assert record is not None
            check_batch(record, self.facts, has_content=self.has_content)
        except RefusedError as refused:
            self.found_by_careful[refused.code] += 1
            return
        if _payload(framed) == _payload(octets[start:end]):
            self.found_by_careful["same payload"] += 1
        else:
            self.undetected.append(change)

    def _start(self, change: Change) -> int:
        """Return where the record begins that a change touches."""
        starts = self.starts[change.name]
        return starts[bisect_right(starts, change.place) - 1]

    def _results(self, octets: bytes) -> str | None:
        """Return that hourly values are not the ones that were signed for; None: they are."""
        audit = Audit(MemorySource(self.files | {RESULTS: octets}))
        audit._results(self.base)
        return "results" if audit.report.findings else None

    def _log(self, name: str, octets: bytes) -> str | None:
        """Return which file of the log does not hold; None: all do."""
        files = self.files | {name: octets}
        audit = Audit(MemorySource(files))
        base = None
        if name != PROOF:
            base = audit._base()
            if audit.report.findings:
                return f"log {audit.report.findings[0].subject}"
        entries = parsed(files[ENTRIES]) if base is None else base.entries
        try:
            check_root(self.checkpoint, entries.leaves, self.places, files[PROOF])
        except RefusedError as refused:
            return f"log {refused.code}"
        return None

    def whole(self, change: Change) -> None:
        """Let the whole auditor find a change and name it."""
        octets = change.applied(self.files[change.name])
        report = Audit(MemorySource(self.files | {change.name: octets})).run()
        if not self._is_named(change, report):
            self.misnamed.append(f"{change}: {report.findings[:3]}")

    def _is_named(self, change: Change, report: Report) -> bool:
        """Return whether the first finding is of what was changed."""
        if not report.findings:
            return False
        subject = report.findings[0].subject
        if change.name in self.starts:
            number = bisect_right(self.starts[change.name], change.place) - 1
            return subject.startswith(f"record {number} of chain {change.name.rpartition('/')[2]}")
        if change.name in (ENTRIES, PROOF):
            return subject in (ENTRIES, "log", "log/key", CHECKPOINT)
        if change.name == RESULTS:
            return subject.startswith(RESULTS)
        return subject == change.name or subject == change.name.replace(".sig", ".json")


def _payload(framed: bytes) -> bytes:
    """Return a frame with its payload unpacked, where it can be."""
    body_at = 8 + HEADER_SIZE + SIGNATURE_SIZE
    try:
        header = Header.unpack(framed[8 : 8 + HEADER_SIZE])
        return framed[:body_at] + decompress(framed[body_at:], header.payload_len)
    except RefusedError:
        return framed
