"""Archives: signed bytes, receipts, configurations, and the proof that the log has them all.

Written into a folder beside its final name, which it gets when everything is on the disk: there is
never half an archive. The service may go on taking uploads meanwhile; what comes after the
checkpoint is not in it.
"""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Final

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
from central_sync.proofs.entry import BatchEntry, parse_entry
from central_sync.store.port import NowNs, Store
from central_sync.store.segments import frame_of
from central_sync.witness.checkpoints import Witness
from central_sync.witness.files import pack, put, sync, sync_folder
from central_sync.witness.selection import Selection, Walk, concerns, days
from edge_agent.wire.receipt import NO_LOG, Receipt
from edge_agent.wire.vocabulary import Hash

PAGE: Final = 64
"""Batches read at a time: at most some hundred MiB."""

ENTRY_PAGE: Final = 1000


TRIES: Final = 5
"""A batch that changes while it is exported (a headstone gets its readings) begins it anew."""


class BusyError(Exception):
    """Batches changed in every try: nothing was written."""


class _MovedError(Exception):
    """A batch changed after the checkpoint: the archive would show it neither before nor after."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was written."""

    manifest: Manifest
    batch_count: int
    bundle_count: int
    profile_count: int
    result_count: int
    size_bytes: int


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
            BusyError: the centre changes what is asked for, too often.

        """
        if target.exists():
            raise FileExistsError(f"{target} is there already")
        unfinished = target.with_name(f"{target.name}.unfinished")
        exported = self._tried(selection, unfinished)
        if target.suffix == ".tar":
            packed = target.with_name(f"{target.name}.packing")
            pack(unfinished, packed)
            packed.replace(target)
            shutil.rmtree(unfinished)
        else:
            unfinished.replace(target)
        sync_folder(target.parent)
        return exported

    def _tried(self, selection: Selection, folder: Path) -> Exported:
        """Write an archive into a folder, anew where a batch changed meanwhile."""
        for _ in range(TRIES):
            if folder.exists():
                shutil.rmtree(folder)
            folder.mkdir(parents=True)
            try:
                return self._written(selection, folder)
            except _MovedError:
                continue
        shutil.rmtree(folder)
        raise BusyError(f"batches changed in each of {TRIES} tries")

    def _written(self, selection: Selection, folder: Path) -> Exported:
        checkpoint, note = self.witness.checkpoint(is_thorough=True)
        walk = Walk(size=checkpoint.size)
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

    def _line(self, line: StoredLine, folder: Path, walk: Walk) -> None:
        """Write the records of one line, and note it for the manifest."""
        name = f"{line.gateway_id}/{line.chain_id}"
        path = folder / "batches" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        numbers: list[int] = []
        skipped: list[int] = []
        last: StoredBatch | None = None
        with path.open("wb") as file:
            for batch in self._batches(line):
                index = Receipt.unpack(batch.receipt).log_index
                if index != NO_LOG and index >= walk.size:
                    skipped.append(batch.batch_no)  # it came after the checkpoint
                    walk.skipped.add(batch.batch_hash)
                    continue
                file.write(pack_record(frame_of(batch), batch.receipt))
                if index != NO_LOG:
                    walk.places.append(index)
                numbers.append(batch.batch_no)
                last = batch
                walk.note(batch)
                if walk.batch_count % ENTRY_PAGE == 0:
                    self.told(walk.batch_count)
            sync(file)
        if numbers and skipped and skipped[0] < numbers[-1]:
            raise _MovedError
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

    def _results(self, selection: Selection, folder: Path, walk: Walk) -> tuple[Hash, int]:
        """Write the hourly values of the archive's times; return their hash, and how many."""
        digest, count = sha256(), 0
        gateways = {line.gateway_id for line in walk.lines}
        with (folder / RESULTS).open("wb") as file:
            for from_ns, to_ns in days(selection, walk):
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

    def _log(self, folder: Path, walk: Walk, manifest: Manifest) -> None:
        """Write the entries that no record stands for, and the roots around all of them."""
        places = set(walk.places)
        indices = list(walk.places)
        entries = folder / ENTRIES
        entries.parent.mkdir(parents=True, exist_ok=True)
        with entries.open("wb") as file:
            for index, entry in self._entries(manifest, walk.size):
                if index in places:
                    continue
                read = parse_entry(entry)
                if isinstance(read, BatchEntry) and read.place.batch_hash in walk.skipped:
                    raise _MovedError
                if concerns(read, manifest.gateway_id):
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
