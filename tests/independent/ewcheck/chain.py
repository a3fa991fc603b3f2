"""What one batch may follow: the rules between neighbours, and the holes in a chain.

Rules of docs/wire-format.md sections 2, 8 and 10. Batches are found by hash, never by number.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ewcheck import rotation
from ewcheck.events import Event, whole_number
from ewcheck.faults import Faults, InvalidError, Kind

if TYPE_CHECKING:
    from ewcheck.batch import Batch
    from ewcheck.header import Header

Ranges = Mapping[bytes, Sequence[tuple[int, int]]]  # chain -> (first, last) batch numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Of one batch, what its neighbours need: its header and the events that bind them."""

    header: Header
    first_kinds: tuple[tuple[object, object], ...]
    previous: object
    losses: tuple[Event, ...]
    reason: object = None
    next_key: bytes | None = None

    @classmethod
    def of(cls, batch: Batch) -> Links:
        """Return what remains of a batch once its rows are dropped."""
        events = batch.events
        rotated = rotation.event_of(batch)
        return cls(
            header=batch.header,
            first_kinds=tuple((e["type"], e.get("config_hash")) for e in events[:2]),
            previous=events[0].get("previous") if batch.header.is_genesis else None,
            losses=tuple(e for e in events if e["type"] == "loss"),
            reason=events[0].get("reason") if batch.header.is_genesis else None,
            next_key=None if rotated is None else rotation.named_key(rotated),
        )


def successor_fault(before: Header, after: Header) -> str | None:
    """Return the rule that `after` breaks as the successor of `before`; None if it is good."""
    same_boot = before.boot_count == after.boot_count
    rules = (
        (before.gateway_id != after.gateway_id, "another gateway"),
        (before.chain_id != after.chain_id, "another chain"),
        (before.key_id != after.key_id, "another key within a chain"),
        (after.batch_no != before.batch_no + 1, f"number {after.batch_no} after {before.batch_no}"),
        (after.first_seq != before.first_seq + before.record_count, "first_seq"),
        (after.boot_count < before.boot_count, "boot_count fell"),
        (same_boot and after.boot_id != before.boot_id, "boot_id changed without boot_count"),
        (same_boot and after.mono_ns < before.mono_ns, "mono_ns fell within a boot"),
    )
    return next((rule for is_broken, rule in rules if is_broken), None)


def check_links(batches: Mapping[bytes, Links], given_up: Ranges, faults: Faults) -> None:
    """Judge every batch against the one it names as its predecessor."""
    for links in batches.values():
        header = links.header
        if header.is_genesis:
            _check_genesis(links, batches, given_up, faults)
            continue
        before = batches.get(header.prev_batch_hash)
        if before is None:
            if not is_given_up(given_up, header.chain_id, header.batch_no - 1):
                faults.add(Kind.LOST, header.name, "the batch before it is nowhere")
            continue
        wrong = (
            successor_fault(before.header, header)
            or _config_fault(before.header, links)
            or (before.next_key and "it goes on behind key_rotated")
        )
        if wrong:
            faults.add(Kind.INVALID, header.name, f"chain: {wrong}")


def _config_fault(before: Header, links: Links) -> str | None:
    """Return what is wrong if a new configuration begins unannounced (section 10)."""
    wanted = ("config_applied", links.header.config_hash.hex())
    if before.config_hash != links.header.config_hash and links.first_kinds[:1] != (wanted,):
        return "a new configuration without config_applied as first event"
    return None


def _check_genesis(
    links: Links, batches: Mapping[bytes, Links], given_up: Ranges, faults: Faults
) -> None:
    """Judge a genesis: what its `continue` names must be somewhere, or given up."""
    previous, name = links.previous, links.header.name
    if previous is None:
        wanted = ("config_applied", links.header.config_hash.hex())
        if links.first_kinds[1:] != (wanted,):
            faults.add(Kind.INVALID, name, "chain: the first configuration is not announced")
        return
    try:
        chain, number, named = _named(previous)
    except InvalidError as error:
        faults.add(Kind.INVALID, name, str(error))
        return
    if named not in batches and not is_given_up(given_up, chain, number):
        faults.add(Kind.LOST, name, "the batch that this chain continues is nowhere")
        return
    before = batches.get(named)
    if before and links.reason == "key_rotation" and before.next_key != links.header.key_id:
        faults.add(Kind.INVALID, name, "chain: the batch before names another key to follow")


def _named(previous: object) -> tuple[bytes, int, bytes]:
    """Return chain, number and hash of the batch that a `continue` names."""
    named = previous if isinstance(previous, dict) else {}
    try:
        chain = bytes.fromhex(named["chain"].replace("-", ""))
        return chain, whole_number(named, "batch_no"), bytes.fromhex(named["batch_hash"])
    except (AttributeError, KeyError, TypeError, ValueError):
        raise InvalidError("chain: `previous` is not {chain, batch_no, batch_hash}") from None


def given_up(batches: Iterable[Links], faults: Faults) -> Ranges:
    """Return the numbers that loss events declare, inclusive, by chain."""
    ranges: dict[bytes, list[tuple[int, int]]] = defaultdict(list)
    for links in batches:
        for event in links.losses:
            try:
                chain = bytes.fromhex(str(event["chain"]).replace("-", ""))
                numbers = whole_number(event, "first_batch"), whole_number(event, "last_batch")
            except (InvalidError, ValueError) as error:
                faults.add(Kind.INVALID, links.header.name, f"event: loss: {error}")
                continue
            ranges[chain].append(numbers)
    return ranges


def is_given_up(given_up: Ranges, chain: bytes, number: int) -> bool:
    """Return whether a loss event gives up this number of this chain."""
    return any(first <= number <= last for first, last in given_up.get(chain, ()))


def declared_lost(batches: Mapping[bytes, Links], given_up: Ranges) -> int:
    """Return how many batches loss events give up that are indeed nowhere."""
    held = {(links.header.chain_id, links.header.batch_no) for links in batches.values()}
    count = 0
    for chain, ranges in given_up.items():
        behind = 0  # numbers below this one are counted already
        for first, last in sorted(ranges):
            first_new = max(first, behind)
            present = sum(c == chain and first_new <= number <= last for c, number in held)
            count += max(0, last + 1 - first_new) - present
            behind = max(behind, last + 1)
    return count


def fork_count(batches: Mapping[bytes, Links]) -> int:
    """Return how many numbers of a chain are taken by more than one batch."""
    taken = Counter((links.header.chain_id, links.header.batch_no) for links in batches.values())
    return sum(count > 1 for count in taken.values())
