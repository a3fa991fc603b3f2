"""Fuzz target of the auditor: archives with one file changed, signed anew where that gets further.

Whatever is in an archive, the auditor says what does not hold; it is never surprised.
"""

from __future__ import annotations

import io
import json
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

from central_sync.audit.source import FolderSource
from central_sync.audit.verify import Audit
from central_sync.proofs.archive import (
    ARCHIVE_CONTEXT,
    BATCHES,
    CHECKPOINT,
    ENTRIES,
    MANIFEST,
    SIGNATURE,
    pack_entry,
    read_entries,
    read_record,
)
from central_sync.proofs.note import signed_note
from edge_agent.wire.compression import decompress
from edge_agent.wire.header import Header
from edge_agent.wire.receipt import RECEIPT_SIZE
from edge_agent.wire.vocabulary import HASH_SIZE, Verdict
from tests.central_sync.audit.made import LOG_KEY_PAIR, NAMED, make, registered
from tests.central_sync.ingest.signed_chain import SignedChain
from tests.fuzz.mutation import mutated, reshaped
from tests.fuzz.target import Target
from tests.system.changed_archive import MemorySource

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping

BATCHES_IN_IT: Final = 3
# Found before anything is read behind a length, a signature or a file's own form.
_OUTERMOST: Final = ("frame:", "signature:", "is missing from the archive")


def archive() -> Target:
    """Return the target of an archive: the first byte of an input says which file it replaces."""
    files = _files()
    names = sorted(name for name, octets in files.items() if octets)

    def make_one(chance: random.Random) -> bytes:
        place = chance.randrange(len(names))
        return bytes([place]) + _changed(names[place], files[names[place]], chance)

    def run(content: bytes) -> bool:
        name = names[content[0]]
        changed = {**files, name: content[1:]}
        if name == MANIFEST:
            changed[SIGNATURE] = LOG_KEY_PAIR.sign(ARCHIVE_CONTEXT, content[1:])
        report = Audit(MemorySource(changed)).run()
        # A manifest that the centre signs with its real key may say another time, for instance.
        may_hold = name == MANIFEST or not report.is_passed
        if not may_hold and _signed(name, content[1:]) != _signed(name, files[name]):
            raise ValueError(f"{name} was changed, and the archive holds")
        return not report.findings or not report.findings[0].detail.startswith(_OUTERMOST)

    return Target(make=make_one, run=run)


def _signed(name: str, octets: bytes) -> bytes:
    """Return a file as far as it is signed: how payloads are compressed is not."""
    if not name.startswith(BATCHES):
        return octets
    file, parts = io.BytesIO(octets), []
    while (record := read_record(file.read)) is not None:
        frame = record.frame
        header = Header.unpack(frame.header_bytes)
        payload = decompress(frame.body, header.payload_len)
        parts += [frame.header_bytes, frame.signature, payload, record.receipt_bytes]
    return b"".join(parts)


def _files() -> Mapping[str, bytes]:
    """Return an archive of one gateway."""
    chain = SignedChain()
    taken = [(batch, Verdict.ACCEPTED) for batch in chain.batches(BATCHES_IN_IT)]
    with tempfile.TemporaryDirectory() as scratch:
        folder = make(Path(scratch) / "archive", registered(chain), taken)
        return {name: (folder / name).read_bytes() for name in FolderSource(folder).names()}


def _changed(name: str, octets: bytes, chance: random.Random) -> bytes:
    """Return a file with a change that its outermost check does not see, as a rule."""
    if chance.random() < 0.2:
        return mutated(octets, chance)
    if name.startswith(BATCHES):
        return _record(octets, chance)
    if name == MANIFEST:
        return _json(octets, chance)
    if name == CHECKPOINT:
        text = mutated(octets.partition(b"\n\n")[0], chance, 1).decode(errors="replace")
        return signed_note(f"{text}\n", NAMED.name, LOG_KEY_PAIR)
    if name == ENTRIES:
        return _entries(octets, chance)
    return mutated(octets, chance, 1)


def _record(octets: bytes, chance: random.Random) -> bytes:
    """Return a line whose first record has another frame, under its right length and hash."""
    end = 4 + int.from_bytes(octets[:4], "little")
    frame = mutated(octets[4:end], chance, 1)
    framed = len(frame).to_bytes(4, "little") + frame
    receipt = octets[end + HASH_SIZE : end + HASH_SIZE + RECEIPT_SIZE]
    rest = octets[end + HASH_SIZE + RECEIPT_SIZE :]
    return framed + sha256(framed).digest() + receipt + rest


def _entries(octets: bytes, chance: random.Random) -> bytes:
    """Return entries, one of them changed or told again."""
    entries = list(read_entries(octets))
    place = chance.randrange(len(entries))
    index, entry = entries[place]
    if chance.random() < 0.7:
        entries[place] = index, entry[:1] + _json(entry[1:], chance)
    else:
        entries[place] = index + chance.choice((-1, 1, 1 << 40)), mutated(entry, chance, 1)
    return b"".join(pack_entry(max(0, at), one) for at, one in entries)


def _json(line: bytes, chance: random.Random) -> bytes:
    changed = reshaped(json.loads(line), chance)
    return json.dumps(changed, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode(
        errors="replace"
    )
