"""What a batch owes to the one before it.

Two questions, because the centre answers them differently (docs/wire-format.md section 12): does it
stand where it says (else nothing is stored), and does it count on rightly (else it is evidence).
"""

from edge_agent.wire.header import Header
from edge_agent.wire.vocabulary import Hash


def link_fault(previous: Header, previous_hash: Hash, header: Header) -> str | None:
    """Return why header does not stand behind previous, or None: gateway, chain, number, hash."""
    if header.gateway_id != previous.gateway_id:
        return f"gateway_id is {header.gateway_id}, must be {previous.gateway_id}"
    if header.chain_id != previous.chain_id:
        return f"chain_id is {header.chain_id}, must be {previous.chain_id}"
    if header.batch_no != previous.batch_no + 1:
        return f"batch_no is {header.batch_no}, must be {previous.batch_no + 1}"
    if header.prev_batch_hash != previous_hash:
        return "prev_batch_hash is not the hash of the batch before"
    return None


def successor_fault(previous: Header, header: Header) -> str | None:
    """Return why header does not count on from previous, or None: first_seq, boot, clock.

    Only for a header that stands behind previous (link_fault). Source: docs/wire-format.md
    section 2.
    """
    if header.first_seq != previous.next_seq:
        return f"first_seq is {header.first_seq}, must be {previous.next_seq}"
    if header.boot_count < previous.boot_count:
        return f"boot_count falls from {previous.boot_count} to {header.boot_count}"
    is_same_boot = header.boot_id == previous.boot_id
    if header.boot_count == previous.boot_count and not is_same_boot:
        return f"boot_id changes while boot_count stays {header.boot_count}"
    if is_same_boot and header.mono_ns < previous.mono_ns:
        return f"mono_ns falls from {previous.mono_ns} to {header.mono_ns} within a boot"
    return None
