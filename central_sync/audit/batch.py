"""One batch of an archive against what was signed: by the gateway, by the centre, by nobody else.

It knows nothing of the batches around it: that is `audit.line`.
"""

from dataclasses import dataclass

from central_sync.audit.facts import Facts
from central_sync.audit.report import Counts
from central_sync.model.arrow import rows_of_arrow
from central_sync.proofs.archive import Record
from central_sync.proofs.entry import BatchEntry, leaf
from edge_agent.wire.batch import check_content, open_body
from edge_agent.wire.events import KEY_ROTATED, LOSS, Event, check_events
from edge_agent.wire.frame import FrameFlag
from edge_agent.wire.header import Header, batch_hash
from edge_agent.wire.headstone import open_headstone
from edge_agent.wire.receipt import NO_LOG, BatchPlace, Receipt, verify_receipt
from edge_agent.wire.refusal import Code, RefusedError
from edge_agent.wire.signing import BATCH_CONTEXT
from edge_agent.wire.vocabulary import BatchFlag, Hash, Verdict

# What was kept is not what was signed: never evidence, whatever the verdict.
_NOT_SIGNED = frozenset((Code.ZSTD, Code.PAYLOAD, Code.HEADSTONE))


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A batch whose signatures hold: what the line and the log need of it.

    `log_index` is None where its receipt was given before the log began; `leaf` is what then
    must stand there. `ends_chain` is not known where its content was not looked at.
    """

    header: Header
    batch_hash: Hash
    verdict: Verdict
    log_index: int | None
    leaf: Hash
    counts: Counts
    ends_chain: bool


def check_batch(record: Record, facts: Facts, *, has_content: bool = True) -> Checked:
    """Return what a record says, once everything in it holds.

    Args:
        record: the record.
        facts: the keys.
        has_content: whether to unpack, decode and hash its readings and events, too.

    Raises:
        RefusedError: with the check that fails.

    """
    raw = record.frame.header_bytes
    header = Header.unpack(raw)
    facts.gateway_key(header.gateway_id, header.key_id).verify(
        BATCH_CONTEXT, raw, record.frame.signature
    )
    named = batch_hash(raw)
    receipt = _receipt(record, facts, BatchPlace.of(header, named))
    is_headstone = receipt.verdict is Verdict.HEADSTONE
    if record.frame.flags != (FrameFlag.HEADSTONE if is_headstone else FrameFlag(0)):
        raise RefusedError(Code.FRAME, f"frame flags {record.frame.flags:#x} at {receipt.verdict}")
    counts = _counts(header, receipt, facts)
    events: tuple[Event, ...] = ()
    if has_content:
        events = _content(record, header, receipt.verdict)
        counts.events += len(events)
        counts.losses += sum(event.type == LOSS for event in events)
    else:
        counts.undecoded += 1
    return Checked(
        header=header,
        batch_hash=named,
        verdict=receipt.verdict,
        log_index=None if receipt.log_index == NO_LOG else receipt.log_index,
        leaf=leaf(BatchEntry.of(receipt).pack()),
        counts=counts,
        ends_chain=any(event.type == KEY_ROTATED for event in events),
    )


def _receipt(record: Record, facts: Facts, place: BatchPlace) -> Receipt:
    """Return the receipt of a record, verified."""
    try:
        receipt = Receipt.unpack(record.receipt_bytes)
        verify_receipt(receipt, facts.receipt_key(receipt.server_key_id), place)
    except RefusedError as refused:
        raise RefusedError(refused.code, f"its receipt: {refused.detail}") from refused
    return receipt


def _counts(header: Header, receipt: Receipt, facts: Facts) -> Counts:
    """Return the counts that need no look into the body."""
    verdict = receipt.verdict
    is_read = verdict is Verdict.ACCEPTED
    is_uncertain = is_read and BatchFlag.CLOCK_UNTRUSTED in header.flags
    is_logged = receipt.log_index != NO_LOG
    is_late = is_logged and facts.is_after_revocation(
        receipt.log_index, header.gateway_id, header.key_id
    )
    return Counts(
        batches=1,
        records=header.record_count if is_read else 0,
        branches=int(verdict is Verdict.BRANCH),
        quarantined=int(verdict is Verdict.QUARANTINED),
        headstones=int(verdict is Verdict.HEADSTONE),
        uncertain=header.record_count if is_uncertain else 0,
        unlogged=int(not is_logged),
        after_revocation=int(is_late),
    )


def _content(record: Record, header: Header, verdict: Verdict) -> tuple[Event, ...]:
    """Return the events of a body that is what was signed, and what its verdict says it is."""
    body = record.frame.body
    if verdict is Verdict.HEADSTONE:
        return check_events(open_headstone(header, body).event_lines, flags=header.flags)
    return _read(header, body) if verdict is Verdict.ACCEPTED else _evidence(header, body)


def _read(header: Header, body: bytes) -> tuple[Event, ...]:
    parts = open_body(header, body)
    return check_content(header, rows_of_arrow(parts.readings), parts.event_lines)


def _evidence(header: Header, body: bytes) -> tuple[Event, ...]:
    """Return the events of what was kept as evidence or beside a line: it need not be readable.

    It must be what was signed, as a payload or as a headstone.
    """
    try:
        return _read(header, body)
    except RefusedError as refused:
        if refused.code not in _NOT_SIGNED:
            return ()
        if refused.code is not Code.ZSTD:
            raise
    try:
        return check_events(open_headstone(header, body).event_lines, flags=header.flags)
    except RefusedError as refused:
        if refused.code in _NOT_SIGNED:
            raise
        return ()
