"""Every store: the log has each batch and each fact once, in the transaction that made it true."""

from central_sync.model import AlarmCode
from central_sync.proofs.entry import BatchEntry, FactEntry, leaf, parse_entry
from central_sync.proofs.note import NoteKey
from central_sync.proofs.tree import check_consistency, root_around
from edge_agent.wire.frame import FrameFlag
from edge_agent.wire.merkle import root_from_path
from edge_agent.wire.receipt import NO_LOG, Receipt
from edge_agent.wire.signing import SigningKey
from edge_agent.wire.vocabulary import Verdict
from tests.central_sync.ingest.signed_chain import (
    TEN,
    SignedChain,
    bundle_of,
    framed,
    rows_at,
)
from tests.central_sync.proofs.naive import tree_hash
from tests.conformance.store.stores import RECEIPT_KEY, Stored

LOG_KEY = NoteKey(name="log", key=SigningKey.from_seed(b"l" * 32).verifying_key)
ALL = 10_000


def entries(stored: Stored) -> list[bytes]:
    """Return the whole log."""
    return list(stored.store.log_entries(0, ALL))


def facts(stored: Stored) -> list[str]:
    """Return the types of all facts in the log."""
    read = map(parse_entry, entries(stored))
    return [entry.type for entry in read if isinstance(entry, FactEntry)]


def test_a_receipt_names_the_place_of_its_batch_in_the_log(
    stored: Stored, chain: SignedChain
) -> None:
    outcome = stored.take(chain, *map(framed, chain.batches(3)))
    for one in outcome.receipts:
        receipt = Receipt.unpack(one)
        assert receipt.log_index != NO_LOG
        assert parse_entry(entries(stored)[receipt.log_index]) == BatchEntry.of(receipt)


def test_a_replay_adds_nothing_to_the_log(stored: Stored, chain: SignedChain) -> None:
    frames = [framed(batch) for batch in chain.batches(3)]
    stored.take(chain, *frames)
    size = stored.store.log_size()
    stored.take(chain, *frames)
    assert stored.store.log_size() == size == len(entries(stored))


def test_what_is_not_stored_is_not_logged(stored: Stored, chain: SignedChain) -> None:
    _, one = chain.batches(2)
    size = stored.store.log_size()
    stored.take(chain, framed(one))
    assert stored.store.log_size() == size


def test_readings_of_a_headstone_that_come_late_are_logged_again(
    stored: Stored, chain: SignedChain
) -> None:
    rows = rows_at([TEN])
    zero, one = chain.batch(), chain.batch(rows)
    stored.take(chain, framed(zero))
    stone = chain.headstone(rows, [], one)
    (first,) = stored.take(chain, framed(stone, FrameFlag.HEADSTONE)).receipts
    (second,) = stored.take(chain, framed(one)).receipts
    before, after = Receipt.unpack(first), Receipt.unpack(second)
    assert (before.verdict, after.verdict) == (Verdict.HEADSTONE, Verdict.ACCEPTED)
    assert after.log_index == before.log_index + 1


def test_registry_files_and_alarms_are_facts(stored: Stored, chain: SignedChain) -> None:
    stored.take(chain, framed(chain.batch()))
    bundle = chain.origin.config_hash
    stored.store.put_bundle(bundle, bundle_of(), profile_hashes=[])
    stored.store.put_bundle(bundle, bundle_of(), profile_hashes=[])
    stored.store.raise_alarm(AlarmCode.FORK, chain.gateway_id, detail="once")
    stored.store.raise_alarm(AlarmCode.FORK, chain.gateway_id, detail="again")
    stored.store.revoke_gateway(chain.gateway_id, reason="stolen")
    stored.store.revoke_gateway(chain.gateway_id, reason="stolen twice")
    assert facts(stored) == [
        "gateway_added",
        "key_registered",
        "bundle_stored",
        "alarm_raised",
        "gateway_revoked",
    ]


def test_the_log_begins_with_its_key_and_catches_up_once(
    stored: Stored, chain: SignedChain
) -> None:
    receipt_key = RECEIPT_KEY.verifying_key
    before = facts(stored)
    stored.store.begin_log(LOG_KEY, receipt_key)
    stored.store.begin_log(LOG_KEY, receipt_key)
    # The gateway was registered before: the log had begun with it.
    assert facts(stored) == [*before, "log_restarted", "receipt_key"]
    other = NoteKey(name="log2", key=SigningKey.from_seed(b"m" * 32).verifying_key)
    stored.store.begin_log(other, receipt_key)
    assert facts(stored)[-1] == "log_restarted"
    assert [index for index, _ in stored.store.log_facts(0, ALL)] == list(range(len(before) + 3))


def test_roots_and_proofs_are_those_of_the_entries(stored: Stored, chain: SignedChain) -> None:
    # Past 256 entries, so that kept subtrees of two levels take part.
    stored.store.begin_log(LOG_KEY, RECEIPT_KEY.verifying_key)
    for number in range(270):
        stored.store.add_fact(FactEntry(type="test", at_ns=number))
    stored.reopen()
    whole = entries(stored)
    size = len(whole)
    for count in (1, 2, 15, 16, 17, 255, 256, 257, size):
        assert stored.store.log_root(count) == tree_hash(whole[:count])
        proof = stored.store.consistency_proof(count, size)
        check_consistency(count, tree_hash(whole[:count]), size, tree_hash(whole), proof)
        path = stored.store.inclusion_proof(count - 1, size)
        assert root_from_path(leaf(whole[count - 1]), count - 1, size, path) == tree_hash(whole)
    chosen = [3, 16, 200]
    roots = stored.store.roots_around(chosen, size)
    leaves = [leaf(whole[index]) for index in chosen]
    assert root_around(chosen, leaves, size, iter(roots)) == tree_hash(whole)


def test_the_newest_checkpoint_is_kept(stored: Stored) -> None:
    assert stored.store.checkpoint() is None
    stored.store.put_checkpoint(3, b"three")
    stored.store.put_checkpoint(2, b"two")
    stored.store.put_checkpoint(3, b"three again")
    stored.reopen()
    assert stored.store.checkpoint() == b"three again"
