"""The verdict over a centre: every batch from its bytes, nothing lost, twice or invented.

What the centre holds is set against three witnesses that it did not write: the gateway's buffer,
a journal of batches seen committed, and the plant's own record of what it served.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

from ewcheck import chain, coverage, polls, receipt, rotation, store
from ewcheck.batch import Batch, Keys, verified
from ewcheck.chain import Links
from ewcheck.events import nanoseconds
from ewcheck.faults import Faults, InvalidError, Kind
from ewcheck.header import key_named
from ewcheck.journal import committed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from ewcheck.polls import Answer, Device, Poll
    from ewcheck.rows import Row
    from ewcheck.store import Stored


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The files to judge. Times in ns; `at_tolerance_ns` None: stamps are not judged.

    `utc_minus_boottime_ns` is for a gateway whose wall clock is wrong on purpose: what its
    CLOCK_BOOTTIME lacks to true UTC, in the one boot that there was. Times are then those of mono.
    """

    centre: Path
    keys: Keys
    server_key: Ed25519PublicKey | None = None
    buffers: Sequence[Path] = ()
    journals: Sequence[Path] = ()
    served: Sequence[Path] = ()
    channel_map: Path | None = None
    kills: Path | None = None
    slack_ns: int = 1_000_000_000
    at_tolerance_ns: int | None = None
    utc_minus_boottime_ns: int | None = None


@dataclass(slots=True)
class Judge:
    """One judgement under way: what was met so far."""

    evidence: Evidence
    faults: Faults = field(default_factory=Faults)
    owners: Mapping[int, Device] = field(default_factory=dict)
    answers: Mapping[Poll, Answer] = field(default_factory=dict)
    batches: dict[bytes, Links] = field(default_factory=dict)
    found: dict[Poll, str] = field(default_factory=dict)
    readings_at: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    gaps: coverage.Gaps = field(default_factory=coverage.Gaps)
    keys: dict[bytes, Ed25519PublicKey] = field(init=False)
    rotation_count: int = 0
    row_count: int = 0
    scan_count: int = 0
    empty_scan_count: int = 0
    headstone_count: int = 0
    boots: list[tuple[int, bool]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin with the keys that are given; others are learned from signed events."""
        self.keys = dict(self.evidence.keys)

    def take_centre(self) -> None:
        """Verify every batch of the centre; its file must hold none twice."""
        for stored in self._signed_first(store.centre_batches(self.evidence.centre)):
            if stored.batch_hash in self.batches:
                self.faults.add(Kind.DUPLICATE, stored.name, "the batch is stored twice")
                continue
            batch = self._verified(stored)
            if batch:
                self._take(batch)

    def take_buffer(self, path: Path) -> int:
        """Verify what a gateway still holds; return how many batches the centre has not."""
        beyond_centre = 0
        for stored in self._signed_first(store.buffer_batches(path)):
            if stored.body is None:
                continue
            batch = self._verified(stored)
            if batch is None or stored.batch_hash in self.batches:
                continue
            if stored.is_receipted:
                self.faults.add(Kind.LOST, stored.name, "receipted, but the centre has it not")
            beyond_centre += 1
            self._take(batch)
        return beyond_centre

    def _signed_first(self, batches: Iterable[Stored]) -> Iterator[Stored]:
        """Yield batches, each behind the one that names its key, as far as there is one."""
        waiting: dict[bytes, list[Stored]] = defaultdict(list)
        for stored in batches:
            named = key_named(stored.header)
            if named in self.keys:
                yield stored
            else:
                waiting[named].append(stored)
        while known := waiting.keys() & self.keys.keys():
            for named in known:
                yield from waiting.pop(named)
        for unsigned in waiting.values():
            yield from unsigned

    def _verified(self, stored: Stored) -> Batch | None:
        """Return the batch of a row, or None and a fault."""
        try:
            batch = verified(stored.header, stored.signature, stored.body or b"", self.keys)
            store.check_columns(stored, batch)
            if stored.verdict is not None:
                _check_verdict(stored, batch, self.evidence.server_key)
        except InvalidError as error:
            self.faults.add(Kind.INVALID, stored.name, str(error))
            return None
        return batch

    def _take(self, batch: Batch) -> None:
        """Count a batch, its gaps, its boots and its scans."""
        self.batches[batch.header.batch_hash] = Links.of(batch)
        self.row_count += len(batch.rows)
        self.scan_count += batch.scan_count
        self.headstone_count += batch.is_headstone
        self._take_rotation(batch)
        for event in batch.events:
            try:
                if event["type"] == "gap":
                    self.gaps.add(event, self.evidence.utc_minus_boottime_ns)
                elif event["type"] == "loss":
                    self.gaps.add_loss(event)
                elif event["type"] == "boot":
                    self.boots.append((nanoseconds(event, "at_ns"), event["clean"] is True))
            except InvalidError as error:
                self.faults.add(Kind.INVALID, batch.header.name, str(error))
        if self.owners:
            for number, rows in groupby(batch.rows, key=lambda row: row.scan):
                self._take_scan(f"{batch.header.name} scan {number}", list(rows))

    def _take_rotation(self, batch: Batch) -> None:
        """Learn the key that follows, if a batch tells of one."""
        event = rotation.event_of(batch)
        if event is None:
            return
        self.rotation_count += 1
        try:
            key = rotation.follower(batch, event, self.keys)
        except InvalidError as error:
            self.faults.add(Kind.INVALID, batch.header.name, str(error))
            return
        if key is not None:
            self.keys.setdefault(rotation.named_key(event), key)

    def _take_scan(self, where: str, scan: Sequence[Row]) -> None:
        """Set one scan against what the plant served."""
        device = polls.device_of(scan, self.owners)
        if isinstance(device, str):
            self.faults.add(Kind.INVENTED, where, device)
            return
        if all(row.quality & polls.NO_VALUE for row in scan):
            self.empty_scan_count += 1
            return
        number = polls.poll_number(scan, device)
        poll = (device.name, -1 if number is None else number)
        answer = self.answers.get(poll)
        if answer is None:
            self.faults.add(Kind.INVENTED, where, f"poll {number} of {device.name} was not served")
            return
        if poll in self.found:
            self.faults.add(Kind.DUPLICATE, where, f"poll {number} is also in {self.found[poll]}")
            return
        self.found[poll] = where
        self.readings_at[device.name].append(answer.at_ns)
        wrong = polls.difference(scan, device, answer) or self._misdated(scan, answer)
        if wrong:
            self.faults.add(Kind.INVENTED, where, f"poll {number}: {wrong}")

    def _misdated(self, scan: Sequence[Row], answer: Answer) -> str | None:
        """Return how far a scan's stamp is from the time it was served; None if near enough."""
        tolerance_ns = self.evidence.at_tolerance_ns
        if tolerance_ns is None:
            return None
        ahead_ns = self.evidence.utc_minus_boottime_ns
        stamps = (row.at if ahead_ns is None else row.mono + ahead_ns for row in scan)
        off_ns = max((at_ns - answer.at_ns for at_ns in stamps), key=abs)
        return f"stamped {off_ns} ns after it was served" if abs(off_ns) > tolerance_ns else None

    def check_journals(self, given_up: chain.Ranges) -> int:
        """Judge the batches seen committed; return how many different ones there are."""
        entries = {e.batch_hash: e for path in self.evidence.journals for e in committed(path)}
        for entry in entries.values():
            if entry.batch_hash not in self.batches and not entry.is_given_up(given_up):
                self.faults.add(Kind.LOST, entry.name, "committed, but it is nowhere")
        return len(entries)

    def check_polls(self) -> dict[str, int]:
        """Judge the served polls that are nowhere; return the counts of each excuse."""
        kills = coverage.kills_of(self.evidence.kills)
        counts = {"in_gap": 0, "lost_to_kill": 0, "given_up": 0}
        devices = {device.name: device for device in self.owners.values()}
        found = {name: sorted(self.readings_at[name]) for name in devices}
        gaps = {n: self.gaps.spans(d.poll_channel, found[n]) for n, d in devices.items()}
        losses = {n: self.gaps.losses(d.poll_channel) for n, d in devices.items()}
        slack_ns = self.evidence.slack_ns
        for (name, number), answer in self.answers.items():
            at_ns = answer.at_ns
            if (name, number) in self.found:
                continue
            if any(kill.excuses(at_ns, found.get(name, ())) for kill in kills):
                counts["lost_to_kill"] += 1
            elif coverage.is_within(at_ns, gaps.get(name, ()), slack_ns):
                counts["in_gap"] += 1
            elif coverage.is_within(at_ns, losses.get(name, ()), slack_ns):
                counts["given_up"] += 1
            else:
                what = f"poll {number} at {at_ns} is nowhere and no gap says so"
                self.faults.add(Kind.UNCOVERED, name, what)
        return counts


def _check_verdict(stored: Stored, batch: Batch, server: Ed25519PublicKey | None) -> None:
    """Raise InvalidError unless the centre judged as the bytes demand and receipted that."""
    verdict = -1 if stored.verdict is None else stored.verdict
    if verdict == 1:
        raise InvalidError("verdict: quarantined, although every rule for one batch holds")
    if (verdict == 3) != batch.is_headstone or not 0 <= verdict <= 3:
        raise InvalidError(f"verdict: {verdict}")
    receipt.check(stored.receipt or b"", batch.header, verdict, server)


def judged(evidence: Evidence) -> dict[str, object]:
    """Return the report over all evidence; InputError if a file cannot be read."""
    judge = Judge(evidence=evidence)
    if evidence.channel_map:
        judge.owners = polls.devices_of(evidence.channel_map)
        judge.answers = polls.served(evidence.served)
    judge.take_centre()
    at_centre = len(judge.batches)
    beyond_centre = sum(judge.take_buffer(path) for path in evidence.buffers)
    given_up = chain.given_up(judge.batches.values(), judge.faults)
    chain.check_links(judge.batches, given_up, judge.faults)
    committed_count = judge.check_journals(given_up)
    excused = judge.check_polls()
    return {
        "batches": at_centre,
        "batches_only_in_buffer": beyond_centre,
        "batches_seen_committed": committed_count,
        "batches_declared_lost": chain.declared_lost(judge.batches, given_up),
        "headstones": judge.headstone_count,
        "rotations": judge.rotation_count,
        "chains": len({links.header.chain_id for links in judge.batches.values()}),
        "forks": chain.fork_count(judge.batches),
        "rows": judge.row_count,
        "scans": judge.scan_count,
        "scans_without_value": judge.empty_scan_count,
        "polls_served": len(judge.answers),
        "polls_found": len(judge.found),
        **{f"polls_{name}": count for name, count in excused.items()},
        "gaps": len(judge.gaps.seen),
        "boots_clean": [is_clean for _, is_clean in sorted(judge.boots)],
        **{kind.value: judge.faults.counts[kind] for kind in Kind},
        "first_faults": judge.faults.first,
    }
