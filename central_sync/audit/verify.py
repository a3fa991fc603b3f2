"""The whole verification of an archive, in the order in which trust is built up.

First the log's key, the entries, the manifest and the checkpoint; then every batch by itself and
in its line; then that all of them stand in the log; then configurations and profiles. What does
not hold is noted by name and the rest is checked all the same, as far as it can be.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from typing import Final, TypeVar
from uuid import UUID

from central_sync.audit.line import LineCheck
from central_sync.audit.log import Entries, check_root, check_whole, parsed
from central_sync.audit.report import Report
from central_sync.audit.source import Source
from central_sync.model.result_line import parse_result
from central_sync.programs.hashes import output_hash
from central_sync.proofs.archive import (
    ARCHIVE_CONTEXT,
    BATCHES,
    BUNDLES,
    CHECKPOINT,
    ENTRIES,
    LOG_KEY,
    MANIFEST,
    PROFILES,
    PROOF,
    RESULTS,
    SIGNATURE,
    Manifest,
    named_profiles,
)
from central_sync.proofs.note import Checkpoint, NoteKey
from edge_agent.wire.refusal import Code, RefusedError
from edge_agent.wire.vocabulary import Hash

T = TypeVar("T")

_ALWAYS: Final = frozenset((MANIFEST, SIGNATURE, LOG_KEY, CHECKPOINT, ENTRIES, PROOF, RESULTS))


def nobody(_: int) -> None:
    """Be told of progress, and say nothing."""


@dataclass(frozen=True, slots=True)
class _Base:
    """What everything else is held against."""

    manifest: Manifest
    checkpoint: Checkpoint
    entries: Entries


@dataclass(slots=True)
class Audit:
    """One verification.

    Attributes:
        source: the archive.
        pinned: the log's key as the auditor knows it from elsewhere; None: that of the archive.
        has_content: whether readings and events are unpacked and hashed, too.
        told: is told how many batches were checked.

    """

    source: Source
    pinned: NoteKey | None = None
    has_content: bool = True
    told: Callable[[int], None] = nobody
    report: Report = field(default_factory=Report)

    def run(self) -> Report:
        """Verify everything; return what was found."""
        names = self._held("archive", self.source.names)
        lacking = sorted(_ALWAYS - (names or frozenset()))
        if names is None or lacking:
            if names is not None:
                self.report.found(lacking[0], "is missing from the archive")
            return self.report
        base = self._base()
        if base is not None:
            self._everything(base, names)
        return self.report

    def _base(self) -> _Base | None:
        """Return manifest, checkpoint and entries, all under the log's key; None: not even that."""
        key = self._held(LOG_KEY, lambda: self._log_key(self._bytes(LOG_KEY)))
        entries = self._held(ENTRIES, lambda: parsed(self._bytes(ENTRIES)))
        if key is None or entries is None:
            return None
        self._held(LOG_KEY, lambda: _require_current(key, entries))
        manifest = self._held(MANIFEST, lambda: self._manifest(key))
        checkpoint = self._held(CHECKPOINT, lambda: self._checkpoint(key))
        if manifest is None or checkpoint is None:
            return None
        if manifest.log_size != checkpoint.size:
            self.report.found(
                CHECKPOINT, f"is of {checkpoint.size} entries, signed was {manifest.log_size}"
            )
        return _Base(manifest, checkpoint, entries)

    def _log_key(self, octets: bytes) -> NoteKey:
        try:
            text = octets.decode("ascii")
        except UnicodeDecodeError as fault:
            raise RefusedError(Code.KEY, "is no key") from fault
        key = NoteKey.parse(text.removesuffix("\n"))
        if text != f"{key}\n":
            raise RefusedError(Code.KEY, "is not written as keys are")
        if self.pinned is not None and (key.name, key.key_id) != (
            self.pinned.name,
            self.pinned.key_id,
        ):
            raise RefusedError(Code.KEY, f"is {key}, not the one that was given")
        self.report.log_key = str(key)
        return key

    def _manifest(self, key: NoteKey) -> Manifest:
        octets = self._bytes(MANIFEST)
        key.key.verify(ARCHIVE_CONTEXT, octets, self._bytes(SIGNATURE))
        manifest = Manifest.parse(octets)
        if manifest.origin != key.name:
            raise RefusedError(Code.KEY, f"is of {manifest.origin}, not of {key.name}")
        return manifest

    def _checkpoint(self, key: NoteKey) -> Checkpoint:
        note = self._bytes(CHECKPOINT)
        checkpoint = Checkpoint.opened(note, key)
        if note.count(b"\n") != _LINES_OF_A_CHECKPOINT:
            raise RefusedError(Code.FRAME, "must hold one signature")
        self.report.checkpoint = checkpoint.text
        return checkpoint

    def _everything(self, base: _Base, names: frozenset[str]) -> None:
        lines = [
            LineCheck(line, base.entries.facts, self.report, has_content=self.has_content)
            for line in base.manifest.lines
        ]
        self._names(base, names)
        for check in lines:
            if check.line.name in names:
                self._line(check)
        self._log(base, lines)
        self._files(base, names, set().union(*(check.configs for check in lines)))
        self._results(base)
        counts = self.report.counts
        counts.gateways = len({line.gateway_id for line in base.manifest.lines})
        counts.chains = len(lines)
        counts.log_size = base.checkpoint.size
        counts.log_restarts = max(0, len(base.entries.facts.log_keys) - 1)
        counts.alarms = len(base.entries.facts.alarms)

    def _names(self, base: _Base, names: frozenset[str]) -> None:
        """Note files that are missing, and files that nothing speaks of."""
        lines = {line.name for line in base.manifest.lines}
        for name in sorted(lines - names):
            self.report.found(name, "is missing from the archive")
        for name in sorted(names - lines - _ALWAYS):
            folder, _, rest = name.partition("/")
            if folder not in (BUNDLES, PROFILES) or not _is_hash(rest):
                where = "signed for" if folder == BATCHES else "of an archive"
                self.report.found(name, f"is no file {where}")

    def _line(self, check: LineCheck) -> None:
        done = 0
        already = self.report.counts.batches
        with self.source.open(check.line.name) as file:
            for done in check.run(file.read):
                if done % 1000 == 0:
                    self.told(already + done)
        self.told(already + done)

    def _log(self, base: _Base, lines: Sequence[LineCheck]) -> None:
        entries, proof = base.entries, self._bytes(PROOF)
        places = [check.places for check in lines]
        broken = set().union(*(check.broken for check in lines))
        try:
            count = check_root(base.checkpoint, entries.leaves, places, proof)
        except RefusedError as refused:
            # Keys come from the log: where it is wrong and keys are missing, it is the cause.
            is_cause = broken == {Code.KEY}
            note = self.report.found_first if is_cause else self.report.found
            note("log", str(refused))
        else:
            self.report.counts.log_entries = count
        if base.manifest.is_whole:
            here = set().union(*(check.batch_hashes for check in lines))
            self._held("log", lambda: check_whole(proof, entries.batches, here))

    def _files(self, base: _Base, names: frozenset[str], configs: set[Hash]) -> None:
        """Check configurations and profiles by their hashes, and that none is left out."""
        facts, counts = base.entries.facts, self.report.counts
        bundles = self._hashed(BUNDLES, names, configs, facts.bundles)
        counts.bundles = len(bundles)
        counts.bundles_missing = len(configs - facts.bundles - bundles.keys())
        wanted: set[Hash] = set()
        for digest, octets in bundles.items():
            found = self._held(f"{BUNDLES}/{digest.hex()}", partial(named_profiles, octets))
            wanted |= found or set()
        counts.profiles = len(self._hashed(PROFILES, names, wanted, facts.profiles))

    def _results(self, base: _Base) -> None:
        """Check hourly values: the ones that were signed for, and each what its own hash says."""
        digest = sha256()
        gateways = {line.gateway_id for line in base.manifest.lines}
        with self.source.open(RESULTS) as file:
            for number, line in enumerate(file):
                digest.update(line)
                check = partial(_require_result, line, gateways)
                self._held(f"{RESULTS}, line {number + 1}", check)
                self.report.counts.hourly_values += 1
        if digest.digest() != base.manifest.results_sha256:
            self.report.found(RESULTS, "are not the ones that were signed for")

    def _hashed(
        self, folder: str, names: frozenset[str], wanted: set[Hash], stored: set[bytes]
    ) -> dict[Hash, bytes]:
        """Return the files of a folder that are what their names say, by hash."""
        here = {
            Hash(bytes.fromhex(rest))
            for name in names
            if name.startswith(f"{folder}/") and _is_hash(rest := name.removeprefix(f"{folder}/"))
        }
        for digest in sorted((wanted & stored) - here):
            self.report.found(f"{folder}/{digest.hex()}", "the centre has it, the archive has not")
        found: dict[Hash, bytes] = {}
        for digest in sorted(here):
            name = f"{folder}/{digest.hex()}"
            octets = self._bytes(name)
            if sha256(octets).digest() != digest:
                self.report.found(name, "is not what its hash says")
            elif digest not in wanted:
                self.report.found(name, "nothing in the archive names it")
            else:
                found[digest] = octets
        return found

    def _bytes(self, name: str) -> bytes:
        with self.source.open(name) as file:
            return file.read()

    def _held(self, subject: str, check: Callable[[], T]) -> T | None:
        """Return what a check returns; None, and a finding, where it refuses."""
        try:
            return check()
        except RefusedError as refused:
            self.report.found(subject, str(refused))
            return None


_LINES_OF_A_CHECKPOINT: Final = 5


def _require_current(key: NoteKey, entries: Entries) -> None:
    """Refuse a key that is not the newest of the log."""
    keys = entries.facts.log_keys
    if not keys or keys[0][0] != 0:
        raise RefusedError(Code.KEY, "the log's first entry must name its key")
    if str(keys[-1][1]) != str(key):
        raise RefusedError(Code.KEY, f"the log says that its key is {keys[-1][1]}")


def _require_result(line: bytes, gateways: set[UUID]) -> None:
    """Refuse an hourly value that is not what its own hash says, or of nobody in the archive."""
    if not line.endswith(b"\n"):
        raise RefusedError(Code.FRAME, "is cut off")
    value = parse_result(line[:-1]).value
    if output_hash(value) != value.output_hash:
        raise RefusedError(Code.ROOT, "is not what its output_hash says")
    if value.gateway_id not in gateways:
        raise RefusedError(Code.CHAIN, f"is of {value.gateway_id}, of which nothing is here")


def _is_hash(text: str) -> bool:
    return len(text) == 64 and all(digit in "0123456789abcdef" for digit in text)
