"""Tokens and pins as people type them, and what stands under each signature."""

import pytest
from hypothesis import given
from hypothesis.strategies import binary, sampled_from

from edge_agent.wire.enrolment import (
    DECOMMISSION_CONTEXT,
    ENROLMENT_CONTEXT,
    RENEWAL_CONTEXT,
    decommission_message,
    enrolment_message,
    pin_of,
    public_key_of,
    renewal_message,
    rotation_fields,
    rotation_message,
    token_hash,
    token_of,
    token_text,
)
from edge_agent.wire.signing import (
    BATCH_CONTEXT,
    RECEIPT_CONTEXT,
    ROTATION_CONTEXT,
    SigningKey,
)
from tests.central_sync.ingest.signed_chain import uuid_of

KEY = SigningKey.from_seed(b"k" * 32)
NEXT = SigningKey.from_seed(b"n" * 32)
TOKEN = bytes(range(20))
NONCE = bytes(range(32))


@given(token=binary(min_size=20, max_size=20), spaced=sampled_from(["-", " ", "", "\n"]))
def test_a_token_comes_back_however_it_is_typed(token: bytes, spaced: str) -> None:
    printed = token_text(token)
    assert len(printed.split("-")) == 8
    assert token_of(printed.replace("-", spaced)) == token
    assert token_of(printed.lower()) == token
    assert token_of(printed.replace("O", "0").replace("I", "1").replace("B", "8")) == token


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "0 digits, must be 32"),
        ("A" * 31, "31 digits"),
        ("A" * 33, "33 digits"),
        ("9" * 32, "letters and digits 2 to 7"),
        ("ä" * 32, "letters and digits 2 to 7"),
        ("=" * 32, "letters and digits 2 to 7"),
    ],
)
def test_what_is_no_token_is_told_so(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        token_of(text)


@pytest.mark.parametrize(
    "text", ["00" * 32, "sha256:" + "0" * 64, ":".join(["00"] * 32), "00 " * 32]
)
def test_a_pin_comes_back_however_it_is_typed(text: str) -> None:
    assert pin_of(text) == bytes(32)


@pytest.mark.parametrize("text", ["", "00" * 31, "00" * 33, "zz" * 32, "0" * 63])
def test_what_is_no_pin_is_told_so(text: str) -> None:
    with pytest.raises(ValueError, match="pin"):
        pin_of(text)


def test_every_purpose_has_a_context_of_its_own() -> None:
    contexts = (
        *(BATCH_CONTEXT, RECEIPT_CONTEXT, ROTATION_CONTEXT),
        *(ENROLMENT_CONTEXT, RENEWAL_CONTEXT, DECOMMISSION_CONTEXT),
    )
    assert len(set(contexts)) == 6
    # None begins another, so that context and message cannot be cut elsewhere.
    assert not any(a != b and b.startswith(a) for a in contexts for b in contexts)
    assert all(context.endswith(b"\x00") for context in contexts)


def test_what_is_signed_is_laid_out_as_documented() -> None:
    hashed = token_hash(TOKEN)
    assert enrolment_message(
        token_hash=hashed, nonce=NONCE, signing_key=KEY.verifying_key, tls_spki=b"spki"
    ) == (hashed + NONCE + KEY.verifying_key.spki + b"spki")
    where = uuid_of(1)
    message = renewal_message(gateway_id=where, nonce=NONCE, tls_spki=b"spki")
    assert message == where.bytes + NONCE + b"spki"
    assert decommission_message(gateway_id=where, nonce=NONCE) == where.bytes + NONCE


def test_a_rotation_brings_the_new_key_and_its_word() -> None:
    fields = rotation_fields(
        gateway_id=uuid_of(1), chain_id=uuid_of(2), old_key_id=KEY.key_id, new_key=NEXT
    )
    brought = public_key_of(fields["public_key"])
    assert brought is not None
    assert brought.key_id.hex() == fields["key"] == NEXT.key_id.hex()
    message = rotation_message(
        gateway_id=uuid_of(1), chain_id=uuid_of(2), old_key_id=KEY.key_id, new_key=brought
    )
    assert message == (uuid_of(1).bytes + uuid_of(2).bytes + KEY.key_id + NEXT.verifying_key.spki)
    brought.verify(ROTATION_CONTEXT, message, bytes.fromhex(fields["proof"]))


@pytest.mark.parametrize("text", [None, 7, "", "00" * 31, "zz" * 32])
def test_what_is_no_public_key_is_none(text: object) -> None:
    assert public_key_of(text) is None
