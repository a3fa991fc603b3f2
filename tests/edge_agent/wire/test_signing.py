"""Keys and contexts, against the vectors of RFC 8032 and the bytes of RFC 8410."""

from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from edge_agent.wire.refusal import Code
from edge_agent.wire.signing import (
    BATCH_CONTEXT,
    RECEIPT_CONTEXT,
    ROTATION_CONTEXT,
    SigningKey,
    VerifyingKey,
)
from tests.edge_agent.wire.samples import KEY, OTHER_KEY, refused

# RFC 8032 section 7.1, TEST 3: seed, public key, message, signature.
SEED = bytes.fromhex("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7")
PUBLIC = bytes.fromhex("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025")
SIGNATURE = bytes.fromhex(
    "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
    "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
)


def test_signatures_are_those_of_rfc_8032() -> None:
    key = SigningKey.from_seed(SEED)
    assert key.public_bytes == PUBLIC
    assert key.sign(b"\xaf", b"\x82") == SIGNATURE
    VerifyingKey(PUBLIC).verify(b"", b"\xaf\x82", SIGNATURE)


def test_the_key_id_is_the_hash_of_the_subject_public_key_info() -> None:
    spki = Ed25519PublicKey.from_public_bytes(PUBLIC).public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )
    key = VerifyingKey(PUBLIC)
    assert key.spki == spki
    assert len(spki) == 44
    assert key.key_id == sha256(spki).digest() == SigningKey.from_seed(SEED).key_id


@pytest.mark.parametrize(
    ("context", "message", "key"),
    [
        pytest.param(BATCH_CONTEXT, b"another", KEY, id="other message"),
        pytest.param(RECEIPT_CONTEXT, b"message", KEY, id="other context"),
        pytest.param(b"", BATCH_CONTEXT + b"messag", KEY, id="shorter"),
        pytest.param(BATCH_CONTEXT, b"message", OTHER_KEY, id="other key"),
    ],
)
def test_a_signature_is_good_for_nothing_else(
    context: bytes, message: bytes, key: SigningKey
) -> None:
    signature = KEY.sign(BATCH_CONTEXT, b"message")
    KEY.verifying_key.verify(BATCH_CONTEXT, b"message", signature)
    with refused(Code.SIGNATURE):
        key.verifying_key.verify(context, message, signature)


@pytest.mark.parametrize("signature", [b"", bytes(64), bytes(63), bytes(65), b"\xff" * 64])
def test_what_is_no_signature_is_refused(signature: bytes) -> None:
    with refused(Code.SIGNATURE):
        KEY.verifying_key.verify(BATCH_CONTEXT, b"message", signature)


@pytest.mark.parametrize("size", [0, 31, 33, 44])
def test_a_public_key_has_32_bytes(size: int) -> None:
    with refused(Code.KEY):
        VerifyingKey(bytes(size))


def test_contexts_end_in_a_zero_byte_and_none_begins_another() -> None:
    contexts = (BATCH_CONTEXT, RECEIPT_CONTEXT, ROTATION_CONTEXT)
    assert all(context.index(b"\0") == len(context) - 1 for context in contexts)
    assert len(BATCH_CONTEXT) == 33
    assert len(set(contexts)) == 3
