"""What an archive is made of: names of its files, records of batches, its signed manifest.

docs/witness.md section 5 is the specification. Nothing here opens a file: readers are handed bytes,
and refuse what is not written in the one way it may be.
"""

import struct
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, TypeAlias
from uuid import UUID

from edge_agent.wire.bundle import parse_bundle
from edge_agent.wire.canonical import JsonValue, canonical, parse_canonical
from edge_agent.wire.frame import BatchFrame, encode_batch, frames
from edge_agent.wire.receipt import RECEIPT_SIZE
from edge_agent.wire.refusal import Code, RefusedError
from edge_agent.wire.vocabulary import HASH_SIZE, Hash

VERSION: Final = 1
ARCHIVE_CONTEXT: Final = b"EmissionWatch archive v1\x00"
"""Before the manifest, under the log's key: another purpose than a note."""

MANIFEST: Final = "manifest.json"
SIGNATURE: Final = "manifest.sig"
LOG_KEY: Final = "log/key"
CHECKPOINT: Final = "log/checkpoint"
ENTRIES: Final = "log/entries"
PROOF: Final = "log/proof"
RESULTS: Final = "results"
BATCHES: Final = "batches"
BUNDLES: Final = "bundles"
PROFILES: Final = "profiles"

TAR_BLOCK: Final = 512

Read: TypeAlias = Callable[[int], bytes]
"""Given a number of bytes: that many, or fewer at the end of a file."""

# A frame holds 4 MiB of payload at most, which compresses to less than twice as much.
_MAX_FRAME: Final = 16 * 1024 * 1024
_MAX_ENTRY: Final = 1024 * 1024
_LENGTH: Final = struct.Struct("<I")
_ENTRY_HEAD: Final = struct.Struct("<QI")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One batch as it is kept in archives and segments: its frame and the receipt given for it."""

    frame: BatchFrame
    receipt_bytes: bytes


def pack_record(frame: BatchFrame, receipt_bytes: bytes) -> bytes:
    """Return a record: the frame, its SHA-256, the receipt.

    The hash is there because the compressed bytes of a body are not signed: only what they unpack
    to is.
    """
    framed = encode_batch(frame)
    return b"".join((framed, sha256(framed).digest(), receipt_bytes))


def read_record(read: Read) -> Record | None:
    """Return the next record, None at the end.

    Raises:
        RefusedError: FRAME: cut off, not what its hash says, or no batch.

    """
    head = read(_LENGTH.size)
    if not head:
        return None
    if len(head) < _LENGTH.size:
        raise RefusedError(Code.FRAME, "a record is cut off")
    (length,) = _LENGTH.unpack(head)
    if length > _MAX_FRAME:
        raise RefusedError(Code.FRAME, f"a frame of {length} bytes, at most {_MAX_FRAME}")
    rest = read(length + HASH_SIZE + RECEIPT_SIZE)
    if len(rest) != length + HASH_SIZE + RECEIPT_SIZE:
        raise RefusedError(Code.FRAME, "a record is cut off")
    framed = head + rest[:length]
    if sha256(framed).digest() != rest[length : length + HASH_SIZE]:
        raise RefusedError(Code.FRAME, "the frame is not what its hash says")
    frame = next(frames(framed))
    if not isinstance(frame, BatchFrame):
        raise RefusedError(Code.FRAME, "a record must be of a batch")
    return Record(frame=frame, receipt_bytes=rest[-RECEIPT_SIZE:])


def named_profiles(bundle: bytes) -> set[Hash]:
    """Return the hashes of the profile files that a configuration names.

    Raises:
        RefusedError: EVENT: it is no configuration.

    """
    read = parse_bundle(bundle)
    named = {*read.profiles.values(), *(row.profile_hash for row in read.channels)}
    return {Hash(bytes.fromhex(one)) for one in named}


def tar_header(name: str, size_bytes: int) -> bytes:
    """Return the one header that a file of an archive has in a tar file: no owner, no time."""
    member = tarfile.TarInfo(name)
    member.size = size_bytes
    return member.tobuf(format=tarfile.USTAR_FORMAT)


def pack_entry(index: int, entry: bytes) -> bytes:
    """Return a log entry with its place, as an archive holds it."""
    return _ENTRY_HEAD.pack(index, len(entry)) + entry


def read_entries(octets: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield index and bytes of each log entry; indices rise.

    Raises:
        RefusedError: FRAME: cut off, or not in order.

    """
    at, before = 0, -1
    while at < len(octets):
        if len(octets) - at < _ENTRY_HEAD.size:
            raise RefusedError(Code.FRAME, f"the entry after {before} is cut off")
        index, length = _ENTRY_HEAD.unpack_from(octets, at)
        at += _ENTRY_HEAD.size
        if length > min(_MAX_ENTRY, len(octets) - at):
            raise RefusedError(Code.FRAME, f"entry {index} is cut off")
        if index <= before:
            raise RefusedError(Code.FRAME, f"entry {index} stands after entry {before}")
        yield index, octets[at : at + length]
        at += length
        before = index


def read_hashes(octets: bytes) -> Iterator[Hash]:
    """Yield hashes that stand one after another.

    Raises:
        RefusedError: FRAME: the last one is cut off.

    """
    if len(octets) % HASH_SIZE:
        raise RefusedError(Code.FRAME, f"{len(octets)} bytes are no hashes")
    for start in range(0, len(octets), HASH_SIZE):
        yield Hash(octets[start : start + HASH_SIZE])


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What an archive holds of one chain.

    Attributes:
        gateway_id: whose chain.
        chain_id: which.
        first_no: lowest number.
        last_no: highest number.
        batch_count: records, those of branches counted.
        last_hash: of the last record.
        missing: numbers in between (both inclusive) that the centre does not have.

    """

    gateway_id: UUID
    chain_id: UUID
    first_no: int
    last_no: int
    batch_count: int
    last_hash: Hash
    missing: tuple[tuple[int, int], ...] = ()

    @property
    def name(self) -> str:
        """The file of its records."""
        return f"{BATCHES}/{self.gateway_id}/{self.chain_id}"

    def described(self) -> Mapping[str, JsonValue]:
        """Return the line as the manifest says it."""
        return {
            "gateway": str(self.gateway_id),
            "chain": str(self.chain_id),
            "first_no": str(self.first_no),
            "last_no": str(self.last_no),
            "batch_count": self.batch_count,
            "last_hash": self.last_hash.hex(),
            "missing": [[str(first), str(last)] for first, last in self.missing],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What was asked for and what there was: signed by the centre with the log's key.

    `from_ns`, `to_ns` and `gateway_id` are None where nothing was left out for them;
    `results_sha256` is of the hourly values.
    """

    origin: str
    log_size: int
    made_ns: int
    from_ns: int | None
    to_ns: int | None
    gateway_id: UUID | None
    results_sha256: Hash
    lines: tuple[Line, ...]

    @property
    def is_whole(self) -> bool:
        """Whether everything was asked for: then no entry of the log may be left out."""
        return self.from_ns is None and self.to_ns is None and self.gateway_id is None

    def pack(self) -> bytes:
        """Return the canonical JSON that is signed."""
        return canonical(
            {
                "version": VERSION,
                "origin": self.origin,
                "log_size": str(self.log_size),
                "made_ns": str(self.made_ns),
                "from_ns": None if self.from_ns is None else str(self.from_ns),
                "to_ns": None if self.to_ns is None else str(self.to_ns),
                "gateway": None if self.gateway_id is None else str(self.gateway_id),
                "results_sha256": self.results_sha256.hex(),
                "lines": [line.described() for line in self.lines],
            }
        )

    @staticmethod
    def parse(manifest: bytes) -> "Manifest":
        """Return the manifest in these bytes.

        Raises:
            RefusedError: EVENT: it is none of this version.

        """
        members = parse_canonical(manifest)
        if members.pop("version", None) != VERSION:
            raise RefusedError(Code.EVENT, f"no manifest of version {VERSION}")
        try:
            made = _manifest(members)
        except (KeyError, TypeError, ValueError) as fault:
            raise RefusedError(Code.EVENT, f"a manifest that cannot be: {fault}") from fault
        if made.pack() != manifest:
            raise RefusedError(Code.EVENT, "a manifest must be written as it is made")
        return made


def _manifest(members: Mapping[str, JsonValue]) -> Manifest:
    gateway = members["gateway"]
    return Manifest(
        origin=str(members["origin"]),
        log_size=int(str(members["log_size"])),
        made_ns=int(str(members["made_ns"])),
        from_ns=_maybe(members["from_ns"]),
        to_ns=_maybe(members["to_ns"]),
        gateway_id=None if gateway is None else UUID(str(gateway)),
        results_sha256=Hash(bytes.fromhex(str(members["results_sha256"]))),
        lines=tuple(_line(one) for one in _listed(members["lines"])),
    )


def _line(value: JsonValue) -> Line:
    if not isinstance(value, Mapping):
        raise TypeError("a line must be an object")
    return Line(
        gateway_id=UUID(str(value["gateway"])),
        chain_id=UUID(str(value["chain"])),
        first_no=int(str(value["first_no"])),
        last_no=int(str(value["last_no"])),
        batch_count=int(str(value["batch_count"])),
        last_hash=Hash(bytes.fromhex(str(value["last_hash"]))),
        missing=tuple(_pair(one) for one in _listed(value["missing"])),
    )


def _pair(value: JsonValue) -> tuple[int, int]:
    first, last = _listed(value)
    return int(str(first)), int(str(last))


def _listed(value: JsonValue) -> Sequence[JsonValue]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise TypeError(f"{value!r} must be a list")
    return value


def _maybe(value: JsonValue) -> int | None:
    return None if value is None else int(str(value))
