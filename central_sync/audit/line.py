"""The batches of one chain in an archive: in order, linked by hashes, none left out unseen."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from central_sync.audit.batch import Checked, check_batch
from central_sync.audit.facts import Facts
from central_sync.audit.report import Report
from central_sync.proofs.archive import Line, Read, Record, read_record
from central_sync.proofs.entry import BatchEntry, leaf
from edge_agent.wire.chain import successor_fault
from edge_agent.wire.header import Header
from edge_agent.wire.receipt import NO_LOG, Receipt
from edge_agent.wire.refusal import Code, RefusedError
from edge_agent.wire.vocabulary import Hash, Verdict

CHAIN_ALARM: Final = "chain"
FORK_ALARM: Final = "fork"
"""The centre's words for a batch that does not follow from the one before it, which came later, and
for a chain of two lines: then the one before it may be missing although another is here."""


@dataclass(slots=True)
class LineCheck:
    """Walks along one line; what it finds goes into the report.

    Attributes:
        line: what the manifest says of it.
        facts: the keys.
        report: where findings and counts go.
        has_content: whether bodies are looked into.
        places: afterwards, what must stand in the log, by index.
        batch_hashes: afterwards, every batch of the line.
        configs: afterwards, the configurations that its batches name.
        broken: afterwards, why records did not hold.

    """

    line: Line
    facts: Facts
    report: Report
    has_content: bool = True
    places: dict[int, Hash] = field(default_factory=dict)
    batch_hashes: set[Hash] = field(default_factory=set)
    configs: set[Hash] = field(default_factory=set)
    broken: set[Code] = field(default_factory=set)
    _read_count: int = 0
    _first: int | None = None
    _number: int = -1
    _last_hash: Hash = field(default=Hash(b""))
    _here: dict[Hash, Header] = field(default_factory=dict)
    _before: dict[Hash, Header] = field(default_factory=dict)
    _ended: set[Hash] = field(default_factory=set)
    _missing: list[tuple[int, int]] = field(default_factory=list)

    def run(self, read: Read) -> Iterator[int]:
        """Check the records that `read` gives; yield after each how many there were."""
        while (record := self._next(read)) is not None:
            try:
                checked = check_batch(record, self.facts, has_content=self.has_content)
            except RefusedError as refused:
                self._broken(refused, str(refused))
                self._believe(record)
            else:
                self._take(checked)
            self._read_count += 1
            yield self._read_count
        self._close()

    def _next(self, read: Read) -> Record | None:
        try:
            return read_record(read)
        except RefusedError as refused:
            self._broken(refused, f"{refused}; what follows it cannot be read")
            return None

    def _broken(self, refused: RefusedError, detail: str) -> None:
        """Note a record that does not hold; its successor cannot be linked to it."""
        self.broken.add(refused.code)
        place = f"record {self._read_count} of chain {self.line.chain_id}"
        if self._first is not None:
            place += f", after batch {self._number}"
        self.report.found(place, detail)
        self._here.clear()

    def _believe(self, record: Record) -> None:
        """Take the place in the log that a broken record claims, so that the log can say no."""
        try:
            receipt = Receipt.unpack(record.receipt_bytes)
        except RefusedError:
            return
        if receipt.log_index != NO_LOG:
            self.places.setdefault(receipt.log_index, leaf(BatchEntry.of(receipt).pack()))

    def _take(self, checked: Checked) -> None:
        header = checked.header
        name = f"batch {header.batch_no} of chain {header.chain_id}"
        self.report.counts.add(checked.counts)
        if (header.gateway_id, header.chain_id) != (self.line.gateway_id, self.line.chain_id):
            self.report.found(name, f"stands among those of {self.line.name}")
            return
        if not self._step(checked, name):
            return
        self._link(checked, name)
        self._here[checked.batch_hash] = header
        self.batch_hashes.add(checked.batch_hash)
        if checked.ends_chain:
            self._ended.add(checked.batch_hash)
        self.configs.add(header.config_hash)
        if checked.log_index is not None:
            if checked.log_index in self.places:
                self.report.found(name, f"two receipts name place {checked.log_index} of the log")
            self.places[checked.log_index] = checked.leaf

    def _step(self, checked: Checked, name: str) -> bool:
        """Move on to a batch; return whether it stands in its place in the file."""
        number = checked.header.batch_no
        if self._first is None:
            self._first = number
        elif number == self._number:
            if checked.batch_hash <= self._last_hash:
                self.report.found(name, "stands there twice, or out of order")
                return False
            self.report.counts.forks += not self._here.keys() - {self._last_hash}
        elif number < self._number:
            self.report.found(name, f"stands after batch {self._number}: out of order")
            return False
        if number != self._number:
            if self._number >= 0 and number > self._number + 1:
                self._missing.append((self._number + 1, number - 1))
            self._before = self._here if number == self._number + 1 else {}
            self._here = {}
        self._number, self._last_hash = number, checked.batch_hash
        return True

    def _link(self, checked: Checked, name: str) -> None:
        """Check that a batch names one of those before it, and counts on from it."""
        header = checked.header
        if header.is_genesis or not self._before:
            return
        before = self._before.get(header.prev_batch_hash)
        if before is None:
            if not self.facts.has_alarm(FORK_ALARM, header.gateway_id, header.chain_id):
                self.report.found(name, "names another batch before it than the one that is here")
            return
        if header.prev_batch_hash in self._ended:
            self.report.found(name, "goes on in a chain that its key has ended (key_rotated)")
        elif header.key_id != before.key_id:
            self.report.found(name, "is signed by another key than the batch before it")
        fault = successor_fault(before, header)
        is_data = checked.verdict in (Verdict.ACCEPTED, Verdict.HEADSTONE)
        if fault is None or not is_data:
            return
        if not self.facts.has_alarm(CHAIN_ALARM, header.gateway_id, header.chain_id):
            self.report.found(name, fault)

    def _close(self) -> None:
        """Compare what there was with what the manifest says there must be."""
        line = self.line
        found = Line(
            gateway_id=line.gateway_id,
            chain_id=line.chain_id,
            first_no=-1 if self._first is None else self._first,
            last_no=self._number,
            batch_count=self._read_count,
            last_hash=self._last_hash,
            missing=tuple(self._missing),
        )
        self.report.counts.missing += sum(last - first + 1 for first, last in self._missing)
        # Numbers of broken records are not known: what differs for that is no finding of its own.
        every = ("batch_count", "first_no", "last_no", "last_hash", "missing")
        for name in every[:1] if self.broken else every:
            there, said = getattr(found, name), getattr(line, name)
            if there != said:
                self.report.found(
                    f"chain {line.chain_id}", f"{name} is {_told(there)}, signed was {_told(said)}"
                )
                return


def _told(value: object) -> str:
    return value.hex()[:16] if isinstance(value, bytes) else str(value)
