"""Follows one hourly value back to the bytes that a gateway signed, and checks every step.

It reads the record only: never the Parquet parts, and of the results only the one it explains.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from hashlib import sha256

from central_sync.calc.clock_hours import HOUR_NS
from central_sync.calc.hourly import KERNEL
from central_sync.known import Known
from central_sync.model import HourlyRevision, HourlyValue, StoredBatch
from central_sync.model.arrow import rows_of_arrow
from central_sync.programs.channels import Cells
from central_sync.programs.hashes import input_hash, output_hash
from central_sync.programs.hour import hourly_values, withdrawn
from central_sync.programs.opening import portions
from central_sync.programs.plan import Plan
from central_sync.programs.tally import HourTally
from central_sync.store.port import Store
from edge_agent.wire.batch import check_content, open_body
from edge_agent.wire.bundle import parse_bundle
from edge_agent.wire.header import batch_hash
from edge_agent.wire.receipt import BatchPlace, Receipt, verify_receipt
from edge_agent.wire.refusal import RefusedError
from edge_agent.wire.signing import BATCH_CONTEXT, VerifyingKey
from edge_agent.wire.vocabulary import Hash


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One check: what was checked, whether it held, and what was found, in words."""

    title: str
    is_passed: bool
    finding: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One value, every step from it to signed bytes, and the batches it was made of.

    `newer` counts batches of the hour that came after the value was computed.
    """

    revision: HourlyRevision
    steps: tuple[Step, ...]
    batches: tuple[StoredBatch, ...]
    newer: int

    @property
    def is_passed(self) -> bool:
        """Whether every step held."""
        return all(step.is_passed for step in self.steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explainer:
    """What explaining needs beside the value; `receipt_key` is the centre's public key."""

    store: Store
    plan: Plan
    receipt_key: VerifyingKey

    def explain(self, revision: HourlyRevision) -> Explanation:
        """Return how a value follows from signed bytes, or where it does not."""
        value = revision.value
        known = Known(self.store, until_ns=revision.computed_ns)
        found = [
            one
            for one in self.store.batches_touching(
                value.gateway_id, value.hour_ns, value.hour_ns + HOUR_NS
            )
            if known.touches(one, value.hour_ns)
        ]
        batches = known.then(value, found)
        bundles = self._bundles(batches)
        again, trouble = self._computed_again(value, batches, bundles, known)
        steps = (
            _value_step(revision),
            _batches_step(value, batches, found),
            _each("Signatures", batches, self._signature_fault, "signed by the gateway's key"),
            _each("Contents", batches, _content_fault, "hash to what the signed header says"),
            self._chain_step(value, batches),
            _each("Receipts", batches, self._receipt_fault, "were receipted under our key"),
            _table_step(value, batches, bundles),
            _rules_step(value, again, trouble),
            _number_step(value, again, trouble),
        )
        named = {one.batch_hash for one in batches}
        newer = sum(one.batch_hash not in named for one in found)
        return Explanation(revision=revision, steps=steps, batches=batches, newer=newer)

    def _bundles(self, batches: Iterable[StoredBatch]) -> Mapping[Hash, bytes]:
        bodies = {
            one: self.store.bundle(one) for one in {batch.header.config_hash for batch in batches}
        }
        return {one: body for one, body in bodies.items() if body is not None}

    def _signature_fault(self, batch: StoredBatch) -> str | None:
        header = batch.header
        key = self.store.key(batch.gateway_id, header.key_id)
        if key is None:
            return f"no key {_short(header.key_id)} was ever registered for this gateway"
        if header.gateway_id != batch.gateway_id or batch_hash(batch.header_bytes) != (
            batch.batch_hash
        ):
            return "it is stored under another name than its signed header gives it"
        try:
            VerifyingKey(key.public_key).verify(BATCH_CONTEXT, batch.header_bytes, batch.signature)
        except RefusedError as refused:
            return refused.detail
        return None

    def _receipt_fault(self, batch: StoredBatch) -> str | None:
        try:
            receipt = Receipt.unpack(batch.receipt)
            verify_receipt(receipt, self.receipt_key, BatchPlace.of(batch.header, batch.batch_hash))
        except RefusedError as refused:
            return refused.detail
        if receipt.verdict != batch.verdict:
            return f"the receipt says {receipt.verdict.name}, the record {batch.verdict.name}"
        return None

    def _chain_step(self, value: HourlyValue, batches: Sequence[StoredBatch]) -> Step:
        """Check that each batch names the one before it; count what is absent or on a branch."""
        absent = 0
        for batch in batches:
            header = batch.header
            if header.is_genesis:
                continue
            before = self.store.batch(batch.gateway_id, header.chain_id, header.batch_no - 1)
            if before is None:
                absent += 1
            elif batch_hash(before.header_bytes) != header.prev_batch_hash:
                finding = f"batch {header.batch_no} names another predecessor than the record has"
                return Step(title="Chain", is_passed=False, finding=finding)
        finding = f"each of the {len(batches)} batches names the one before it by its hash"
        if absent:
            finding += f"; {absent} of those are not in the record"
        hour = (value.hour_ns, value.hour_ns + HOUR_NS)
        beside = len(self.store.branches_touching(value.gateway_id, *hour))
        if beside:
            finding += f"; {beside} batches of a forked line stand beside them, not in the value"
        return Step(title="Chain", is_passed=True, finding=finding)

    def _computed_again(
        self,
        value: HourlyValue,
        batches: Sequence[StoredBatch],
        bundles: Mapping[Hash, bytes],
        known: "Known",
    ) -> tuple[HourlyValue | None, str]:
        """Return the value computed from signed bytes alone; None, and why, when it cannot be."""
        try:
            cells = Cells({one: parse_bundle(body) for one, body in bundles.items()})
            tally = HourTally(
                cells.cells, gateway_id=value.gateway_id, plan=self.plan, start_ns=value.hour_ns
            )
            for group in portions(map(known.opened, batches)):
                tally.add(cells.chunk(group))
        except RefusedError as refused:
            return None, f"the readings cannot be read: {refused.detail}"
        tallied = tally.tallied()
        values = hourly_values(tallied, is_provisional=value.is_provisional)
        again = next((one for one in values if one.channel == value.channel), None)
        if again is None and not value.reading_count:
            again = withdrawn(value, tallied)
        return again, "the signed readings give no value for this channel and hour"


def _each(
    title: str,
    batches: Sequence[StoredBatch],
    fault_of: Callable[[StoredBatch], str | None],
    good: str,
) -> Step:
    """Return one step that holds when no batch has a fault."""
    faults = [(one, fault) for one in batches if (fault := fault_of(one)) is not None]
    if not faults:
        return Step(title=title, is_passed=True, finding=f"all {len(batches)} batches {good}")
    one, fault = faults[0]
    finding = f"{len(faults)} of {len(batches)} batches do not hold; batch {one.batch_no}: {fault}"
    return Step(title=title, is_passed=False, finding=finding)


def _content_fault(batch: StoredBatch) -> str | None:
    try:
        parts = open_body(batch.header, batch.body)
        check_content(batch.header, rows_of_arrow(parts.readings), parts.event_lines)
    except RefusedError as refused:
        return refused.detail
    return None


def _value_step(revision: HourlyRevision) -> Step:
    is_passed = output_hash(revision.value) == revision.value.output_hash
    finding = f"revision {revision.revision} is as it was written"
    if not is_passed:
        finding = f"revision {revision.revision} was altered after it was written"
    return Step(title="Value", is_passed=is_passed, finding=finding)


def _batches_step(
    value: HourlyValue, batches: Sequence[StoredBatch], found: Sequence[StoredBatch]
) -> Step:
    named = {one.batch_hash for one in batches}
    is_passed = input_hash(value.gateway_id, value.hour_ns, named) == value.input_hash
    finding = f"the value names exactly the {len(batches)} batches with readings of this hour"
    if not is_passed:
        finding = "the batches in the record are not the ones the value was computed from"
    elif newer := sum(one.batch_hash not in named for one in found):
        finding += f" that were here then; {newer} came since"
    return Step(title="Batches", is_passed=is_passed, finding=finding)


def _table_step(
    value: HourlyValue, batches: Sequence[StoredBatch], bundles: Mapping[Hash, bytes]
) -> Step:
    """Check the configurations against their hashes, and find the channel in them."""
    if not batches and not value.reading_count:
        finding = "the hour has no readings: nothing is read by a table"
        return Step(title="Channel table", is_passed=True, finding=finding)
    named = {batch.header.config_hash for batch in batches}
    missing = [one for one in named if one not in bundles]
    forged = [one for one, body in bundles.items() if sha256(body).digest() != one]
    for state, hashes in (("missing", missing), ("not what its hash says", forged)):
        if hashes:
            finding = f"configuration {_short(hashes[0])} is {state}"
            return Step(title="Channel table", is_passed=False, finding=finding)
    rows = [
        row
        for body in bundles.values()
        for row in parse_bundle(body).channels
        if (row.channel, row.name) == (value.channel, value.name)
    ]
    if not rows:
        finding = f"no configuration knows channel {value.channel} as {value.name!r}"
        return Step(title="Channel table", is_passed=False, finding=finding)
    row = rows[0]
    finding = (
        f"signed by hash: channel {row.channel} of {row.device} is {row.parameter} in "
        f"{row.unit_of_measure} = raw {row.raw_type} x {row.scale} + {row.offset}, "
        f"in steps of {row.resolution}"
    )
    return Step(title="Channel table", is_passed=True, finding=finding)


def _rules_step(value: HourlyValue, again: HourlyValue | None, trouble: str) -> Step:
    if again is None:
        return Step(title="Rules", is_passed=False, finding=trouble)
    if value.kernel != KERNEL:
        finding = f"computed by version {value.kernel} of the rules, this is version {KERNEL}"
    elif again.parameter_hash != value.parameter_hash:
        finding = "the plan or a configuration is not the one the value was computed with"
    else:
        finding = f"plan and version {KERNEL} of the rules are those the value names"
        return Step(title="Rules", is_passed=True, finding=finding)
    return Step(title="Rules", is_passed=False, finding=finding)


def _number_step(value: HourlyValue, again: HourlyValue | None, trouble: str) -> Step:
    if again is None:
        return Step(title="Number", is_passed=False, finding=trouble)
    differing = list(_differences(value, again))
    if differing:
        finding = "computed again from the signed bytes it differs: " + "; ".join(differing)
        return Step(title="Number", is_passed=False, finding=finding)
    number = "no value" if again.value is None else f"{again.value} {again.unit_of_measure}"
    finding = (
        f"computed again from the signed bytes: {number}, from {again.used_count} of "
        f"{again.reading_count} readings"
    )
    return Step(title="Number", is_passed=True, finding=finding)


def _differences(value: HourlyValue, again: HourlyValue) -> Iterator[str]:
    """Yield what is not the same in two values, but for hashes that other steps look at."""
    for field in fields(HourlyValue):
        one, other = getattr(value, field.name), getattr(again, field.name)
        if one != other and field.name not in {"input_hash", "parameter_hash", "output_hash"}:
            yield f"{field.name} is {one}, should be {other}"


def _short(one: bytes) -> str:
    return one.hex()[:12]
