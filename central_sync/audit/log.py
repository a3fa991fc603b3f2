"""The log of an archive: its entries and the batches' places in it lead to the signed root."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from central_sync.audit.facts import Facts
from central_sync.proofs.archive import read_entries, read_hashes
from central_sync.proofs.entry import BatchEntry, Entry, leaf, parse_entry
from central_sync.proofs.note import Checkpoint
from central_sync.proofs.tree import root_around
from edge_agent.wire.refusal import Code, RefusedError
from edge_agent.wire.vocabulary import Hash


@dataclass(frozen=True, slots=True)
class Entries:
    """The entries that an archive holds in full: facts, and batches as they once were."""

    leaves: Mapping[int, Hash]
    facts: Facts
    batches: tuple[BatchEntry, ...]


def parsed(octets: bytes) -> Entries:
    """Return the entries in a file.

    Raises:
        RefusedError: the file or an entry is not as it must be.

    """
    leaves: dict[int, Hash] = {}
    facts = Facts()
    batches: list[BatchEntry] = []
    for index, packed in read_entries(octets):
        entry = _entry(index, packed)
        leaves[index] = leaf(packed)
        if isinstance(entry, BatchEntry):
            batches.append(entry)
        else:
            facts.take(index, entry)
    return Entries(leaves, facts, tuple(batches))


def check_root(
    checkpoint: Checkpoint,
    entries: Mapping[int, Hash],
    receipts: Iterable[Mapping[int, Hash]],
    proof: bytes,
) -> int:
    """Check that entries and batches stand in the log that was signed; return how many do.

    Args:
        checkpoint: what was signed.
        entries: leaves of the entries that are here in full, by index.
        receipts: for each line, leaves of its batches, by the index in their receipts.
        proof: the roots of the subtrees of all others, one after another.

    Raises:
        RefusedError: ROOT or FRAME.

    """
    known = dict(entries)
    for places in receipts:
        for index, one in places.items():
            if known.setdefault(index, one) != one:
                raise RefusedError(Code.ROOT, f"place {index} is claimed by two entries")
    indices = sorted(known)
    if indices and indices[-1] >= checkpoint.size:
        raise RefusedError(
            Code.ROOT, f"place {indices[-1]} is beyond the checkpoint of {checkpoint.size} entries"
        )
    leaves = [known[index] for index in indices]
    if root_around(indices, leaves, checkpoint.size, read_hashes(proof)) != checkpoint.root:
        raise RefusedError(
            Code.ROOT, f"{len(known)} known entries do not lead to the root that was signed"
        )
    return len(known)


def check_whole(proof: bytes, batches: Iterable[BatchEntry], here: set[Hash]) -> None:
    """Check that an archive of everything leaves out no entry of the log and no batch.

    Raises:
        RefusedError: ROOT.

    """
    if proof:
        raise RefusedError(Code.ROOT, "entries are left out of an archive of everything")
    for entry in batches:
        place = entry.place
        if place.batch_hash not in here:
            raise RefusedError(
                Code.ROOT,
                f"batch {place.batch_no} of chain {place.chain_id} is in the log and not here",
            )


def _entry(index: int, packed: bytes) -> Entry:
    try:
        return parse_entry(packed)
    except RefusedError as refused:
        raise RefusedError(refused.code, f"entry {index}: {refused.detail}") from refused
