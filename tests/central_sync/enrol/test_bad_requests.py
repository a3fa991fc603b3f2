"""Who is not let in: wrong tokens, nonces, keys, CSRs and proofs, each with its answer."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import UUID

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

from central_sync.model import AlarmCode
from edge_agent.enrol import requests
from edge_agent.identity.tls import TlsIdentity
from edge_agent.wire.signing import SigningKey
from tests.central_sync.enrol.secured import DAY, Applicant, Secured, secured
from tests.central_sync.ingest.signed_chain import uuid_of

Fields = dict[str, object]
Change = Callable[[Fields], None]
OTHER = SigningKey.from_seed(b"o" * 32)


def csr_of(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def csr_of_ed25519() -> str:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(Ed25519PrivateKey.generate(), None).public_bytes(Encoding.PEM).decode()


def csr_signed_by_another() -> str:
    """Return a CSR whose key did not sign it: one byte of the signature differs."""
    request = x509.load_pem_x509_csr(TlsIdentity.new().csr.encode())
    der = bytearray(request.public_bytes(Encoding.DER))
    der[-1] ^= 1
    return x509.load_der_x509_csr(bytes(der)).public_bytes(Encoding.PEM).decode()


def put(**fields: object) -> Change:
    return lambda request: request.update(fields)


def without(name: str) -> Change:
    def change(request: Fields) -> None:
        request.pop(name, None)

    return change


def flipped(name: str) -> Change:
    def change(request: Fields) -> None:
        digits = str(request[name])
        request[name] = digits[:-1] + ("0" if digits[-1] != "0" else "1")

    return change


BAD = {
    "no token": (without("token"), 400, "request"),
    "a token of half the length": (put(token="ab" * 10), 400, "request"),
    "a token that is a number": (put(token=7), 400, "request"),
    "a token that is no hexadecimal": (put(token="zz" * 20), 400, "request"),
    "a token nobody made": (put(token="ab" * 20), 403, "token_unknown"),
    "a token with one digit wrong": (flipped("token"), 403, "token_unknown"),
    "no nonce": (without("nonce"), 400, "request"),
    "a nonce nobody made": (put(nonce="00" * 32), 409, "nonce"),
    "a nonce with one digit wrong": (flipped("nonce"), 409, "nonce"),
    "no proof": (without("proof"), 400, "request"),
    "a proof of zeros": (put(proof="00" * 64), 403, "proof"),
    "a proof with one digit wrong": (flipped("proof"), 403, "proof"),
    "a proof cut short": (put(proof="00" * 63), 400, "request"),
    "another signing key than the proof's": (
        put(signing_key=OTHER.public_bytes.hex()),
        403,
        "proof",
    ),
    "a signing key cut short": (put(signing_key="00" * 31), 422, "signing_key"),
    "a signing key that is a list": (put(signing_key=[1]), 422, "signing_key"),
    "no CSR": (without("csr"), 400, "request"),
    "a CSR that is none": (put(csr="-----BEGIN"), 422, "csr"),
    "a CSR that is null": (put(csr=None), 422, "csr"),
    "a CSR of an RSA key": (
        put(csr=csr_of(rsa.generate_private_key(public_exponent=65537, key_size=2048))),
        422,
        "csr",
    ),
    "a CSR of a curve nobody uses": (
        put(csr=csr_of(ec.generate_private_key(ec.SECP521R1()))),
        422,
        "csr",
    ),
    "a CSR of an Ed25519 key": (put(csr=csr_of_ed25519()), 422, "csr"),
    "a CSR that another key signed": (put(csr=csr_signed_by_another()), 422, "csr"),
    "a CSR that the proof is not about": (put(csr=TlsIdentity.new().csr), 403, "proof"),
    "another gateway than the token's": (put(gateway=str(uuid_of(9))), 409, "other_gateway"),
    "a gateway that is a number": (put(gateway=1), 400, "request"),
    "a key that is not known": (put(colour="red"), 400, "request"),
}


async def asked(secured: Secured, token: bytes, change: Change) -> tuple[int, str]:
    applicant = Applicant.new(secured)
    nonce = await applicant.nonce()
    body = requests.enrolment(token, nonce, applicant.key, applicant.tls, None)
    fields: Fields = json.loads(body)
    change(fields)
    answer = await applicant.asks(requests.ENROLMENTS, json.dumps(fields).encode())
    return answer.status_code, answer.json()["code"]


@pytest.mark.asyncio
async def test_what_is_wrong_with_an_enrolment_has_its_own_answer(tmp_path: Path) -> None:
    async with secured(tmp_path) as centre:
        for number, (name, (change, status, code)) in enumerate(BAD.items()):
            token = centre.token(f"stack-{number}")
            assert await asked(centre, token, change) == (status, code), name
        states = map(centre.centre.store.key_states, await ids(centre))
        assert not any(states)


async def ids(centre: Secured) -> list[UUID]:
    return [gateway.id for gateway in centre.centre.store.gateways()]


@pytest.mark.asyncio
@pytest.mark.parametrize("body", [b"", b"[]", b"nul", b"\xff", b'{"token": ' + b"[" * 5000])
async def test_a_body_that_is_no_request_is_refused(tmp_path: Path, body: bytes) -> None:
    async with secured(tmp_path) as centre:
        answer = await Applicant.new(centre).asks(requests.ENROLMENTS, body)
        assert (answer.status_code, answer.json()["code"]) == (400, "request")


@pytest.mark.asyncio
async def test_a_body_that_is_too_large_is_refused(tmp_path: Path) -> None:
    async with secured(tmp_path) as centre:
        answer = await Applicant.new(centre).asks(requests.ENROLMENTS, b"x" * 20_000)
        assert answer.status_code == 413


async def refused(send: Callable[[], Awaitable[tuple[int, str]]], times: int) -> list[str]:
    return [(await send())[1] for _ in range(times)]


@pytest.mark.asyncio
async def test_a_token_is_void_after_five_failures_and_not_before(tmp_path: Path) -> None:
    async with secured(tmp_path) as centre:
        token = centre.token()

        async def fails() -> tuple[int, str]:
            return await asked(centre, token, put(proof="00" * 64))

        assert await refused(fails, 4) == ["proof"] * 4
        other = centre.token("stack-2")
        assert await asked(centre, other, put(proof="00" * 64)) == (403, "proof")
        assert await refused(fails, 2) == ["proof", "token_void"]
        body_of_a_good_one = without("nothing")
        assert await asked(centre, token, body_of_a_good_one) == (403, "token_void")


@pytest.mark.asyncio
async def test_a_token_ends_after_a_day_and_a_nonce_after_ten_minutes(tmp_path: Path) -> None:
    async with secured(tmp_path) as centre:
        token = centre.token()
        applicant = Applicant.new(centre)
        nonce = await applicant.nonce()
        body = requests.enrolment(token, nonce, applicant.key, applicant.tls, None)
        centre.clock.offset_ns = 601 * 1_000_000_000
        answer = await applicant.asks(requests.ENROLMENTS, body)
        assert answer.json()["code"] == "nonce"
        centre.clock.offset_ns = -1_000_000_000
        answer = await applicant.asks(requests.ENROLMENTS, body)
        assert answer.json()["code"] == "nonce"
        centre.clock.offset_ns = DAY + 1_000_000_000
        assert await asked(centre, token, without("nothing")) == (403, "token_expired")


@pytest.mark.asyncio
async def test_a_token_is_used_once_but_by_the_same_keys_again(tmp_path: Path) -> None:
    async with secured(tmp_path) as centre:
        token = centre.token()
        applicant = Applicant.new(centre)
        first = await applicant.enrols(token)
        assert await applicant.enrols(token) == first
        thief = Applicant.new(centre, b"t" * 32)
        body = requests.enrolment(token, await thief.nonce(), thief.key, thief.tls, None)
        answer = await thief.asks(requests.ENROLMENTS, body)
        assert (answer.status_code, answer.json()["code"]) == (409, "token_used")
        (alarm,) = centre.centre.store.alarms(is_open=True)
        assert (alarm.code, alarm.gateway_id, alarm.subject) == (AlarmCode.KEY, first, "token")
        assert len(centre.centre.store.key_states(first)) == 1


@pytest.mark.asyncio
async def test_a_newer_token_makes_the_older_one_void(tmp_path: Path) -> None:
    async with secured(tmp_path) as centre:
        older, newer = centre.token(), centre.token()
        assert (await asked(centre, older, without("nothing")))[1] == "token_unknown"
        await Applicant.new(centre).enrols(newer)
        assert len(await ids(centre)) == 1


@pytest.mark.asyncio
async def test_a_key_of_another_gateway_is_not_taken(tmp_path: Path) -> None:
    async with secured(tmp_path) as centre:
        applicant = Applicant.new(centre)
        await applicant.enrols(centre.token("stack-1"))
        token = centre.token("stack-2")
        body = requests.enrolment(
            token, await applicant.nonce(), applicant.key, applicant.tls, None
        )
        answer = await applicant.asks(requests.ENROLMENTS, body)
        assert (answer.status_code, answer.json()["code"]) == (409, "key_taken")


@pytest.mark.asyncio
async def test_a_revoked_gateway_cannot_use_its_token(tmp_path: Path) -> None:
    async with secured(tmp_path) as centre:
        token = centre.token()
        (gateway_id,) = await ids(centre)
        centre.centre.store.revoke_gateway(gateway_id, reason="never came")
        assert await asked(centre, token, without("nothing")) == (403, "gateway_revoked")


@pytest.mark.asyncio
async def test_renewals_and_farewells_need_the_signing_key_of_the_gateway(tmp_path: Path) -> None:
    async with secured(tmp_path) as centre:
        applicant = Applicant.new(centre)
        gateway_id = await applicant.enrols(centre.token())
        tls = TlsIdentity.new()
        renew, leave = requests.certificate_path(gateway_id), requests.decommission_path(gateway_id)

        async def codes(key: SigningKey, other_nonce: bytes | None = None) -> list[str]:
            nonce = await applicant.nonce()
            answers = [
                await applicant.asks(
                    renew, requests.renewal(gateway_id, other_nonce or nonce, key, tls)
                ),
                await applicant.asks(
                    leave, requests.farewell(uuid_of(8), other_nonce or nonce, key)
                ),
            ]
            return [answer.json().get("code", "good") for answer in answers]

        assert await codes(OTHER) == ["key_unknown", "key_unknown"]
        assert await codes(applicant.key, b"n" * 32) == ["nonce", "nonce"]
        assert await codes(applicant.key) == ["good", "proof"]
        centre.centre.store.revoke_key(gateway_id, applicant.key.key_id, reason="lost")
        assert await codes(applicant.key) == ["key_revoked", "proof"]
