"""Archives: signed bytes, receipts, configurations, and the proof that the log has them all.

Written into a folder beside its final name, which it gets when everything is on the disk: there is
never half an archive. The service may go on taking uploads meanwhile; what comes after the
checkpoint is not in it.
"""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Final
from uuid import UUID

from central_sync.calc.clock_hours import DAY_NS, HOUR_NS
from central_sync.model import StoredBatch, StoredLine
from central_sync.model.result_line import result_line
from central_sync.proofs.archive import (
    ARCHIVE_CONTEXT,
    BUNDLES,
    CHECKPOINT,
    ENTRIES,
    LOG_KEY,
    MANIFEST,
    PROFILES,
    PROOF,
    RESULTS,
    SIGNATURE,
    Line,
    Manifest,
    named_profiles,
    pack_entry,
    pack_record,
)
from central_sync.proofs.entry import FactEntry, parse_entry
from central_sync.store.port import NowNs, Store
from central_sync.store.segments import frame_of
from central_sync.witness.checkpoints import Witness
from central_sync.witness.files import pack, put, sync, sync_folder
from edge_agent.wire.receipt import NO_LOG, Receipt
from edge_agent.wire.vocabulary import Hash

PAGE: Final = 64
"""Batches read at a time: at most some hundred MiB."""

ENTRY_PAGE: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What an archive is asked to hold; None leaves nothing out.

    A batch is in when it has readings in [from_ns, to_ns), or none and was received then; so is
    every batch of its chain between two such batches.
    """

    gateway_id: UUID | None = None
    from_ns: int | None = None
    to_ns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was written."""

    manifest: Manifest
    batch_count: int
    bundle_count: int
    profile_count: int
    result_count: int
    size_bytes: int


@dataclass(slots=True)
class _Walk:
    """What is found on the way: places in the log, configurations, the lines of the manifest."""

    size: int
    places: list[int] = field(default_factory=list)
    configs: set[Hash] = field(default_factory=set)
    lines: list[Line] = field(default_factory=list)
    batch_count: int = 0
    at_min: int | None = None
    at_max: int | None = None

    def note(self, batch: StoredBatch) -> None:
        """Note which configuration and which times a batch is of."""
        self.batch_count += 1
        self.configs.add(batch.header.config_hash)
        if batch.at_min is not None and batch.at_max is not None:
            self.at_min = batch.at_min if self.at_min is None else min(self.at_min, batch.at_min)
            self.at_max = batch.at_max if self.at_max is None else max(self.at_max, batch.at_max)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exporter:
    """Writes archives; blocks. `told` is told how many batches were written so far."""

    store: Store
    witness: Witness
    now_ns: NowNs
    told: Callable[[int], None]

    def planned(self, selection: Selection) -> tuple[StoredLine, ...]:
        """Return the lines that an archive would hold."""
        return self.store.lines(selection.gateway_id, selection.from_ns, selection.to_ns)

    def write(self, selection: Selection, target: Path) -> Exported:
        """Write an archive: a tar file where the name ends in .tar, else a folder.

        Raises:
            FileExistsError: there is something under that name.
            OSError: it cannot be written; nothing is left under that name.
            LogRewrittenError: the log cannot be vouched for.

        """
        if target.exists():
            raise FileExistsError(f"{target} is there already")
        unfinished = target.with_name(f"{target.name}.unfinished")
        if unfinished.exists():
            shutil.rmtree(unfinished)
        unfinished.mkdir(parents=True)
        exported = self._written(selection, unfinished)
        if target.suffix == ".tar":
            packed = target.with_name(f"{target.name}.packing")
            pack(unfinished, packed)
            packed.replace(target)
            shutil.rmtree(unfinished)
        else:
            unfinished.replace(target)
        sync_folder(target.parent)
        return exported

    def _written(self, selection: Selection, folder: Path) -> Exported:
        checkpoint, note = self.witness.checkpoint()
        walk = _Walk(size=checkpoint.size)
        for line in self.planned(selection):
            self._line(line, folder, walk)
        bundles = dict(self._bundles(walk.configs))
        profiles = dict(self._profiles(bundles))
        for place, files in ((BUNDLES, bundles), (PROFILES, profiles)):
            for digest, octets in files.items():
                put(folder / place / digest.hex(), octets)
        results_sha256, result_count = self._results(selection, folder, walk)
        manifest = Manifest(
            origin=checkpoint.origin,
            log_size=checkpoint.size,
            made_ns=self.now_ns(),
            from_ns=selection.from_ns,
            to_ns=selection.to_ns,
            gateway_id=selection.gateway_id,
            results_sha256=results_sha256,
            lines=tuple(walk.lines),
        )
        self._log(folder, walk, manifest)
        put(folder / CHECKPOINT, note)
        put(folder / LOG_KEY, f"{self.witness.note_key}\n".encode())
        packed = manifest.pack()
        put(folder / MANIFEST, packed)
        put(folder / SIGNATURE, self.witness.key.sign(ARCHIVE_CONTEXT, packed))
        return Exported(
            manifest=manifest,
            batch_count=walk.batch_count,
            bundle_count=len(bundles),
            profile_count=len(profiles),
            result_count=result_count,
            size_bytes=sum(one.stat().st_size for one in folder.rglob("*") if one.is_file()),
        )

    def _line(self, line: StoredLine, folder: Path, walk: _Walk) -> None:
        """Write the records of one line, and note it for the manifest."""
        name = f"{line.gateway_id}/{line.chain_id}"
        path = folder / "batches" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        numbers: list[int] = []
        last: StoredBatch | None = None
        with path.open("wb") as file:
            for batch in self._batches(line):
                index = Receipt.unpack(batch.receipt).log_index
                if index != NO_LOG and index >= walk.size:
                    continue  # it came after the checkpoint
                file.write(pack_record(frame_of(batch), batch.receipt))
                if index != NO_LOG:
                    walk.places.append(index)
                numbers.append(batch.batch_no)
                last = batch
                walk.note(batch)
                if walk.batch_count % ENTRY_PAGE == 0:
                    self.told(walk.batch_count)
            sync(file)
        if last is None:
            path.unlink()
            return
        walk.lines.append(
            Line(
                gateway_id=line.gateway_id,
                chain_id=line.chain_id,
                first_no=numbers[0],
                last_no=numbers[-1],
                batch_count=len(numbers),
                last_hash=last.batch_hash,
                missing=tuple(
                    (one + 1, other - 1) for one, other in pairwise(numbers) if other > one + 1
                ),
            )
        )

    def _batches(self, line: StoredLine) -> Iterator[StoredBatch]:
        after: tuple[int, Hash] | None = None
        while page := self.store.line_batches(line, after, PAGE):
            yield from page
            after = (page[-1].batch_no, page[-1].batch_hash)

    def _bundles(self, configs: set[Hash]) -> Iterator[tuple[Hash, bytes]]:
        for digest in sorted(configs):
            body = self.store.bundle(digest)
            if body is not None:
                yield digest, body

    def _profiles(self, bundles: dict[Hash, bytes]) -> Iterator[tuple[Hash, bytes]]:
        wanted = (named_profiles(body) for body in bundles.values())
        for digest in sorted(set().union(*wanted)):
            body = self.store.profile(digest)
            if body is not None:
                yield digest, body

    def _results(self, selection: Selection, folder: Path, walk: _Walk) -> tuple[Hash, int]:
        """Write the hourly values of the archive's times; return their hash, and how many."""
        digest, count = sha256(), 0
        gateways = {line.gateway_id for line in walk.lines}
        with (folder / RESULTS).open("wb") as file:
            for from_ns, to_ns in _days(selection, walk):
                for one in self.store.hourly(
                    facility=None, channel=None, from_ns=from_ns, to_ns=to_ns
                ):
                    if one.value.gateway_id in gateways:
                        line = result_line(one) + b"\n"
                        file.write(line)
                        digest.update(line)
                        count += 1
            sync(file)
        return Hash(digest.digest()), count

    def _log(self, folder: Path, walk: _Walk, manifest: Manifest) -> None:
        """Write the entries that no record stands for, and the roots around all of them."""
        places = set(walk.places)
        indices = list(walk.places)
        entries = folder / ENTRIES
        entries.parent.mkdir(parents=True, exist_ok=True)
        with entries.open("wb") as file:
            for index, entry in self._entries(manifest, walk.size):
                if index not in places and _concerns(entry, manifest.gateway_id):
                    file.write(pack_entry(index, entry))
                    indices.append(index)
            sync(file)
        roots = self.store.roots_around(sorted(indices), walk.size)
        put(folder / PROOF, b"".join(roots))

    def _entries(self, manifest: Manifest, size: int) -> Iterator[tuple[int, bytes]]:
        """Yield all entries for an archive of everything, else the facts alone."""
        start = 0
        while start < size:
            if manifest.is_whole:
                found = self.store.log_entries(start, min(ENTRY_PAGE, size - start))
                page = tuple(enumerate(found, start))
            else:
                page = self.store.log_facts(start, ENTRY_PAGE)
            if not page:
                return
            yield from (one for one in page if one[0] < size)
            start = page[-1][0] + 1


def _days(selection: Selection, walk: _Walk) -> Iterator[tuple[int, int]]:
    """Yield the days of an archive, whole hours of it only, as [from, to) in UTC ns."""
    if walk.at_min is None or walk.at_max is None:
        return
    first = max(walk.at_min // HOUR_NS * HOUR_NS, selection.from_ns or walk.at_min - HOUR_NS)
    end = min(walk.at_max + HOUR_NS, selection.to_ns or walk.at_max + HOUR_NS)
    for from_ns in range(first, end - HOUR_NS + 1, DAY_NS):
        yield from_ns, min(from_ns + DAY_NS, end - HOUR_NS + 1)


def _concerns(entry: bytes, gateway_id: UUID | None) -> bool:
    """Return whether an entry may stand in an archive of one gateway, or of all (None)."""
    read = parse_entry(entry)
    if gateway_id is None or not isinstance(read, FactEntry):
        return True
    return read.fields.get("gateway") in (None, str(gateway_id))
