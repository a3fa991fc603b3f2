"""Tokens and certificates: what every store does with them."""

import pytest

from central_sync.model import IssuedCertificate
from edge_agent.wire.signing import SigningKey
from edge_agent.wire.vocabulary import Hash
from tests.central_sync.ingest.signed_chain import uuid_of
from tests.conformance.store.stores import Stored

TOKEN = Hash(b"t" * 32)
KEY, OTHER = SigningKey.from_seed(b"a" * 32), SigningKey.from_seed(b"b" * 32)
TLS, OTHER_TLS = b"x" * 32, b"y" * 32
HOUR = 3600 * 1_000_000_000


def made(stored: Stored, token: Hash = TOKEN, number: int = 1) -> None:
    stored.store.make_token(
        uuid_of(number),
        facility="PLANT",
        name="stack 1",
        token_hash=token,
        expires_ns=stored.now_ns + HOUR,
    )


def certificate(
    stored: Stored, serial: int, *, tls_hash: bytes = TLS, hours: int = 1
) -> IssuedCertificate:
    return IssuedCertificate(
        serial=serial,
        gateway_id=uuid_of(1),
        tls_hash=tls_hash,
        expires_ns=stored.now_ns + hours * HOUR,
    )


def used(stored: Stored, key: SigningKey = KEY, tls_hash: bytes = TLS, serial: int = 1) -> bool:
    return stored.store.enrol(
        TOKEN,
        public_key=key.public_bytes,
        tls_hash=tls_hash,
        certificate=certificate(stored, serial, tls_hash=tls_hash),
    )


def test_a_token_makes_its_gateway_which_has_no_key_yet(stored: Stored) -> None:
    made(stored)
    (gateway,) = stored.store.gateways()
    assert (gateway.id, gateway.name, gateway.facility) == (uuid_of(1), "stack 1", "PLANT")
    assert stored.store.key_states(uuid_of(1)) == ()
    token = stored.store.token(TOKEN)
    assert token is not None
    assert (token.gateway_id, token.tries, token.signing_key) == (uuid_of(1), 0, None)
    assert stored.store.token(Hash(bytes(32))) is None


def test_a_newer_token_of_a_gateway_replaces_the_older_and_no_other(stored: Stored) -> None:
    newer, elsewhere = Hash(b"n" * 32), Hash(b"e" * 32)
    made(stored)
    made(stored, elsewhere, number=2)
    made(stored, newer)
    found = [stored.store.token(one) is not None for one in (TOKEN, newer, elsewhere)]
    assert found == [False, True, True]
    assert len(stored.store.gateways()) == 2


def test_tries_are_counted_durably(stored: Stored) -> None:
    made(stored)
    stored.store.count_try(TOKEN)
    stored.store.count_try(TOKEN)
    stored.reopen()
    token = stored.store.token(TOKEN)
    assert token is not None
    assert token.tries == 2


def test_a_used_token_is_for_the_keys_that_used_it(stored: Stored) -> None:
    made(stored)
    assert used(stored)
    stored.reopen()
    assert used(stored, serial=2)
    assert not used(stored, OTHER)
    assert not used(stored, tls_hash=OTHER_TLS)
    (state,) = stored.store.key_states(uuid_of(1))
    assert state.key_id == KEY.key_id
    key = stored.store.key(uuid_of(1), KEY.key_id)
    assert key is not None
    assert key.is_active
    assert not stored.store.enrol(
        Hash(bytes(32)), public_key=KEY.public_bytes, tls_hash=TLS, certificate=None
    )


def test_a_key_that_belongs_elsewhere_leaves_no_trace(stored: Stored) -> None:
    stored.store.add_gateway(uuid_of(9), facility="X", name="x", public_key=KEY.public_bytes)
    made(stored)
    with pytest.raises(ValueError, match="another gateway"):
        used(stored)
    token = stored.store.token(TOKEN)
    assert token is not None
    assert token.signing_key is None
    assert stored.store.certificate(1) is None


def test_a_revoked_key_does_not_come_back_by_a_token(stored: Stored) -> None:
    made(stored)
    used(stored)
    stored.store.revoke_key(uuid_of(1), KEY.key_id, reason="lost")
    made(stored)
    with pytest.raises(ValueError, match="revoked"):
        used(stored, serial=2)
    assert used(stored, OTHER, OTHER_TLS, serial=3)


def test_an_enrolment_anew_revokes_the_certificates_of_other_keys(stored: Stored) -> None:
    made(stored)
    used(stored)
    stored.store.keep_certificate(certificate(stored, 2, tls_hash=OTHER_TLS))
    made(stored)
    used(stored, serial=3)
    states = [stored.store.certificate(serial) for serial in (1, 2, 3)]
    assert [state is not None and state.revoked_ns is None for state in states] == [
        True,
        False,
        True,
    ]


def test_certificates_that_are_over_are_forgotten(stored: Stored) -> None:
    made(stored)
    stored.store.keep_certificate(certificate(stored, 2**159 + 1))
    stored.now_ns += 2 * HOUR
    assert stored.store.certificate(2**159 + 1) is not None
    stored.store.keep_certificate(certificate(stored, 5))
    assert stored.store.certificate(2**159 + 1) is None
    assert stored.store.certificate(5) is not None
