"""Entries of the log: written one way, read back as they were, anything else refused."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central_sync.proofs.entry import BatchEntry, FactEntry, parse_entry
from edge_agent.wire.receipt import BatchPlace, Receipt, sign_receipt
from edge_agent.wire.refusal import RefusedError
from edge_agent.wire.signing import SigningKey
from edge_agent.wire.vocabulary import Hash, Verdict

PLACE = BatchPlace(
    gateway_id=UUID(int=1), chain_id=UUID(int=2), batch_no=3, batch_hash=Hash(b"h" * 32)
)
BATCH = BatchEntry(place=PLACE, received_ns=-5, verdict=Verdict.BRANCH)
FACT = FactEntry(type="gateway_revoked", at_ns=7, fields={"gateway": str(UUID(int=1)), "x": "0a"})


@pytest.mark.parametrize("entry", [BATCH, FACT])
def test_an_entry_is_read_back_as_it_was(entry: BatchEntry | FactEntry) -> None:
    assert parse_entry(entry.pack()) == entry


def test_the_entry_of_a_batch_says_what_its_receipt_says() -> None:
    key = SigningKey.from_seed(b"r" * 32)
    receipt = sign_receipt(key, PLACE, verdict=Verdict.BRANCH, received_ns=-5, log_index=9)
    assert BatchEntry.of(Receipt.unpack(receipt.pack())) == BATCH
    assert len(BATCH.pack()) == 82


@given(octets=st.binary(max_size=100))
def test_what_is_no_entry_is_refused_or_is_one(octets: bytes) -> None:
    try:
        entry = parse_entry(octets)
    except RefusedError:
        return
    assert entry.pack() == octets


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\x03{}",
        BATCH.pack() + b"\x00",
        BATCH.pack()[:-1] + b"\x04",
        b'\x02{"at_ns":"7"}',
        b'\x02{"at_ns":7,"type":"x"}',
        b'\x02{"at_ns":"seven","type":"x"}',
        b'\x02{"type":"x","at_ns":"7"}',
    ],
)
def test_a_damaged_entry_is_refused(octets: bytes) -> None:
    with pytest.raises(RefusedError):
        parse_entry(octets)


def test_a_fact_gives_its_fields_as_what_they_must_be() -> None:
    assert FACT.gateway() == UUID(int=1)
    assert FACT.octets("x") == b"\n"
    for wrong in ("nothing", "gateway"):
        with pytest.raises(RefusedError, match=wrong):
            FACT.octets(wrong)
    with pytest.raises(RefusedError, match="UUID"):
        FactEntry(type="t", at_ns=0, fields={"gateway": "x"}).gateway()
