"""Receipts: 185 bytes, good for one batch of one gateway under one key."""

import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.wire.header import batch_hash
from edge_agent.wire.receipt import (
    NO_LOG,
    RECEIPT_SIZE,
    BatchPlace,
    Receipt,
    sign_receipt,
    verify_receipt,
)
from edge_agent.wire.refusal import Code, RefusedError
from edge_agent.wire.vocabulary import Verdict
from tests.edge_agent.wire.samples import (
    AT,
    GOOD_HEADER,
    HASH,
    KEY,
    OTHER,
    OTHER_KEY,
    refused,
)

PLACE = BatchPlace.of(GOOD_HEADER, batch_hash(GOOD_HEADER.pack()))
RECEIPT = sign_receipt(KEY, PLACE, verdict=Verdict.ACCEPTED, received_ns=AT)


@given(
    verdict=st.sampled_from(Verdict),
    received_ns=st.integers(-(2**63), 2**63 - 1),
    log_index=st.integers(0, NO_LOG),
)
def test_a_receipt_survives_its_bytes(verdict: Verdict, received_ns: int, log_index: int) -> None:
    made = sign_receipt(KEY, PLACE, verdict=verdict, received_ns=received_ns, log_index=log_index)
    assert len(made.pack()) == RECEIPT_SIZE
    assert Receipt.unpack(made.pack()) == made
    assert (made.verdict, made.received_ns, made.log_index) == (verdict, received_ns, log_index)
    verify_receipt(made, KEY.verifying_key, PLACE)


def test_the_layout_is_that_of_the_page() -> None:
    """docs/wire-format.md section 13."""
    packed = RECEIPT.pack()
    assert packed[:32] == KEY.key_id
    assert packed[32:48] == GOOD_HEADER.gateway_id.bytes
    assert packed[48:64] == GOOD_HEADER.chain_id.bytes
    assert struct.unpack_from("<Q", packed, 64) == (GOOD_HEADER.batch_no,)
    assert packed[72:104] == PLACE.batch_hash
    assert struct.unpack_from("<QqB", packed, 104) == (2**64 - 1, AT, 0)
    KEY.verifying_key.verify(b"EmissionWatch receipt v1\0", packed[:121], packed[121:])


@given(place=st.integers(0, RECEIPT_SIZE - 1), flip=st.integers(1, 255))
def test_a_receipt_with_a_changed_byte_vouches_for_nothing(place: int, flip: int) -> None:
    damaged = bytearray(RECEIPT.pack())
    damaged[place] ^= flip
    with pytest.raises(RefusedError):
        verify_receipt(Receipt.unpack(bytes(damaged)), KEY.verifying_key, PLACE)


def test_a_receipt_of_another_key_is_refused() -> None:
    with refused(Code.KEY):
        verify_receipt(RECEIPT, OTHER_KEY.verifying_key, PLACE)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(replace(PLACE, gateway_id=OTHER), id="gateway_id"),
        pytest.param(replace(PLACE, chain_id=OTHER), id="chain_id"),
        pytest.param(replace(PLACE, batch_no=8), id="batch_no"),
        pytest.param(replace(PLACE, batch_hash=HASH), id="batch_hash"),
    ],
)
def test_a_receipt_for_another_batch_is_refused(other: BatchPlace) -> None:
    with refused(Code.CHAIN):
        verify_receipt(RECEIPT, KEY.verifying_key, other)


def test_a_receipt_that_nobody_signed_is_refused() -> None:
    with refused(Code.SIGNATURE):
        verify_receipt(replace(RECEIPT, verdict=Verdict.BRANCH), KEY.verifying_key, PLACE)


@pytest.mark.parametrize("size", [0, 184, 186])
def test_another_length_is_refused(size: int) -> None:
    with refused(Code.FRAME):
        Receipt.unpack(bytes(size))


def test_an_unknown_verdict_is_refused() -> None:
    packed = bytearray(RECEIPT.pack())
    packed[120] = 4
    with refused(Code.FRAME):
        Receipt.unpack(bytes(packed))
