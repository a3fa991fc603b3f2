"""Client certificates: who needs one, whose counts, and until when; over real TLS."""

import ssl
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from central_sync.ca import profile
from central_sync.ca.authority import Authority
from central_sync.tls_settings import Tls, tls_problems
from edge_agent.enrol import requests
from edge_agent.identity.tls import TlsIdentity
from edge_agent.wire.frame import MEDIA_TYPE
from tests.central_sync.enrol.secured import (
    DAY,
    LOOPBACK,
    OWN,
    Applicant,
    Clock,
    Secured,
    secured,
)
from tests.central_sync.ingest.signed_chain import SignedChain, framed, uuid_of

ANYONE = replace(OWN, readers="anyone")


async def upload(
    centre: Secured, gateway_id: UUID, identity: TlsIdentity | None, chain: SignedChain
) -> tuple[int, str | None]:
    async with centre.client(identity) as client:
        answer = await client.post(
            f"/v1/gateways/{gateway_id}/batches",
            content=framed(chain.batch(moves=False)),
            headers={"Content-Type": MEDIA_TYPE},
        )
    error = answer.json()["error"]
    return answer.status_code, error and error["code"]


async def status_of(centre: Secured, path: str, identity: TlsIdentity | None = None) -> int:
    async with centre.client(identity) as client:
        return (await client.get(path)).status_code


async def enrolled(centre: Secured, name: str, seed: bytes) -> tuple[Applicant, SignedChain]:
    applicant = Applicant.new(centre, seed)
    gateway_id = await applicant.enrols(centre.token(name))
    return applicant, SignedChain(gateway_id=gateway_id, key=applicant.key)


@pytest.mark.asyncio
async def test_a_gateway_uploads_with_its_own_certificate_and_no_other(tmp_path: Path) -> None:
    async with secured(tmp_path) as centre:
        one, chain = await enrolled(centre, "stack-1", b"1" * 32)
        other, other_chain = await enrolled(centre, "stack-2", b"2" * 32)
        where = chain.gateway_id
        assert await upload(centre, where, one.tls, chain) == (200, None)
        assert await upload(centre, where, other.tls, chain) == (403, "key")
        assert await upload(centre, where, None, chain) == (403, "key")
        assert await upload(centre, other_chain.gateway_id, other.tls, other_chain) == (200, None)
        # The right certificate does not make up for a header of another gateway.
        assert await upload(centre, where, one.tls, other_chain) == (403, "key")


@pytest.mark.asyncio
async def test_documents_need_the_certificate_of_some_gateway(tmp_path: Path) -> None:
    async with secured(tmp_path) as centre:
        one, _ = await enrolled(centre, "stack-1", b"1" * 32)
        path = f"/v1/bundles/{'0' * 64}"
        async with centre.client() as client:
            assert (await client.put(path, content=b"{}")).status_code == 401
        async with centre.client(one.tls) as client:
            assert (await client.put(path, content=b"{}")).status_code == 404


@pytest.mark.asyncio
async def test_pages_are_for_people_and_not_for_gateways(tmp_path: Path) -> None:
    async with secured(tmp_path) as centre:
        one, _ = await enrolled(centre, "stack-1", b"1" * 32)
        assert await status_of(centre, "/v1/fleet/gateways") == 401
        assert await status_of(centre, "/") == 401
        assert await status_of(centre, "/metrics") == 401
        assert await status_of(centre, "/v1/fleet/gateways", one.tls) == 403
        assert await status_of(centre, "/healthz") == 200
    async with secured(tmp_path, ANYONE) as centre:
        assert await status_of(centre, "/v1/fleet/gateways") == 200
        assert await status_of(centre, "/") == 200


@pytest.mark.asyncio
async def test_a_revoked_gateway_gets_no_further_than_its_certificate(tmp_path: Path) -> None:
    async with secured(tmp_path) as centre:
        one, chain = await enrolled(centre, "stack-1", b"1" * 32)
        assert await upload(centre, chain.gateway_id, one.tls, chain) == (200, None)
        centre.centre.store.revoke_gateway(chain.gateway_id, reason="stolen")
        assert await upload(centre, chain.gateway_id, one.tls, chain) == (403, "key")
        stored = centre.centre.store.batch(chain.gateway_id, chain.position.chain_id, 0)
        assert stored is not None


@pytest.mark.asyncio
async def test_a_certificate_ends_on_a_connection_that_stays_open(tmp_path: Path) -> None:
    async with secured(tmp_path) as centre:
        one, chain = await enrolled(centre, "stack-1", b"1" * 32)
        path = f"/v1/gateways/{chain.gateway_id}/batches"
        headers, body = {"Content-Type": MEDIA_TYPE}, framed(chain.batch(moves=False))
        async with centre.client(one.tls) as client:
            assert (await client.post(path, content=body, headers=headers)).status_code == 200
            centre.clock.offset_ns = 61 * DAY
            late = await client.post(path, content=body, headers=headers)
            assert (late.status_code, late.json()["error"]["code"]) == (403, "key")
            assert "renew" in late.json()["error"]["detail"]


@pytest.mark.asyncio
async def test_an_enrolment_anew_ends_the_certificates_before(tmp_path: Path) -> None:
    async with secured(tmp_path) as centre:
        one, chain = await enrolled(centre, "stack-1", b"1" * 32)
        lost = one.tls
        one.tls = TlsIdentity.new()
        await one.enrols(centre.token("stack-1", again=True))
        assert await upload(centre, chain.gateway_id, one.tls, chain) == (200, None)
        assert await upload(centre, chain.gateway_id, lost, chain) == (403, "key")


@pytest.mark.asyncio
async def test_strangers_do_not_get_through_the_handshake(tmp_path: Path) -> None:
    async with secured(tmp_path) as centre:
        _, chain = await enrolled(centre, "stack-1", b"1" * 32)
        now_ns = centre.clock()
        away = tmp_path / "elsewhere"
        away.mkdir()
        stranger, own = (
            Authority(away, now_ns=now_ns),
            Authority(centre.centre.settings.state, now_ns=now_ns),
        )
        tls = TlsIdentity.new()
        public = tls.key.public_key()
        certificates = {
            "good": own.issue(public, chain.gateway_id, now_ns=now_ns),
            "of another authority": stranger.issue(public, chain.gateway_id, now_ns=now_ns),
            "over": own.issue(public, chain.gateway_id, now_ns=now_ns - 62 * DAY),
            "not yet good": own.issue(public, chain.gateway_id, now_ns=now_ns + 2 * DAY),
            "of a server": profile.server_certificate(
                own._issuer, public, [LOOPBACK], now_ns=now_ns
            ),
        }
        got_through = []
        for name, certificate in certificates.items():
            with suppress(httpx.TransportError):
                await upload(centre, chain.gateway_id, replace(tls, chain=(certificate,)), chain)
                got_through.append(name)
        assert got_through == ["good"]


@pytest.mark.asyncio
async def test_certificates_of_an_authority_elsewhere_count_by_their_name(tmp_path: Path) -> None:
    away = tmp_path / "elsewhere"
    away.mkdir()
    now_ns = Clock()()
    theirs = Authority(away, now_ns=now_ns)
    tls = replace(OWN, client_ca=theirs.certificate_file)
    async with secured(tmp_path, tls) as centre:
        applicant = Applicant.new(centre)
        body = requests.enrolment(
            centre.token(), await applicant.nonce(), applicant.key, applicant.tls, None
        )
        answer = (await applicant.asks(requests.ENROLMENTS, body)).json()
        assert answer["certificate"] is None
        chain = SignedChain(gateway_id=UUID(answer["gateway"]), key=applicant.key)
        public = applicant.tls.key.public_key()
        good = theirs.issue(public, chain.gateway_id, now_ns=now_ns)
        shown = replace(applicant.tls, chain=(good,))
        assert await upload(centre, chain.gateway_id, shown, chain) == (200, None)
        other = replace(shown, chain=(theirs.issue(public, uuid_of(5), now_ns=now_ns),))
        assert await upload(centre, chain.gateway_id, other, chain) == (403, "key")
        ours = Authority(centre.centre.settings.state, now_ns=now_ns)
        own = replace(shown, chain=(ours.issue(public, chain.gateway_id, now_ns=now_ns),))
        with pytest.raises(httpx.TransportError):
            await upload(centre, chain.gateway_id, own, chain)
        nonce = await applicant.nonce()
        renewal = requests.renewal(chain.gateway_id, nonce, applicant.key, TlsIdentity.new())
        told = await applicant.asks(requests.certificate_path(chain.gateway_id), renewal)
        assert (told.status_code, told.json()["code"]) == (404, "no_authority")


@pytest.mark.asyncio
async def test_a_gateway_whose_certificate_is_over_gets_another_by_its_signing_key(
    tmp_path: Path,
) -> None:
    async with secured(tmp_path) as centre:
        applicant = Applicant.new(centre)
        token = centre.token()
        gateway_id = await applicant.enrols(token)
        tls = TlsIdentity.new()
        body = requests.renewal(gateway_id, await applicant.nonce(), applicant.key, tls)
        answer = await applicant.asks(requests.certificate_path(gateway_id), body)
        renewed = tls.certified(answer.json()["certificate"])
        chain = SignedChain(gateway_id=gateway_id, key=applicant.key)
        assert await upload(centre, gateway_id, renewed, chain) == (200, None)


def test_certificates_say_what_they_are_for(tmp_path: Path) -> None:
    now_ns = 1_795_168_800 * profile.NS_PER_S
    authority = Authority(tmp_path, now_ns=now_ns)
    made = authority.issue(
        ec.generate_private_key(ec.SECP256R1()).public_key(), uuid_of(1), now_ns=now_ns
    )
    uses = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(uses) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert profile.gateway_named_in(made) == uuid_of(1)
    assert made.not_valid_before_utc == profile.moment(now_ns - DAY)
    assert made.not_valid_after_utc == profile.moment(now_ns + 60 * DAY)
    assert (
        profile.renewal_due_ns(made)
        == now_ns - DAY + 61 * DAY * 2 // 3 // profile.NS_PER_S * profile.NS_PER_S
    )
    assert (tmp_path / "ca.key").stat().st_mode & 0o777 == 0o600


def test_the_pin_outlives_the_certificate_of_the_centre(tmp_path: Path) -> None:
    now_ns = 1_795_168_800 * profile.NS_PER_S
    authority = Authority(tmp_path, now_ns=now_ns)
    assert authority.serve_as(["centre.example", "10.0.0.5"], now_ns=now_ns)
    before = (authority.pin(), authority.server_certificate_file.read_bytes())
    assert not authority.serve_as(["10.0.0.5", "centre.example"], now_ns=now_ns + 200 * DAY)
    assert authority.serve_as(["centre.example"], now_ns=now_ns + 200 * DAY)
    assert authority.serve_as(["centre.example"], now_ns=now_ns + 600 * DAY)
    assert authority.pin() == before[0]
    assert authority.server_certificate_file.read_bytes() != before[1]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.server_certificate_file, authority.server_key_file)


@pytest.mark.parametrize(
    ("tls", "problem"),
    [
        (Tls(), "give names"),
        (Tls(names=("a",), certificate=Path("x"), key=Path("y")), "leave out"),
        (Tls(certificate=Path("x")), "give names"),
        (Tls(names=("https://x",)), "host names"),
        (replace(OWN, readers="all"), "must be one of"),
    ],
)
def test_settings_of_tls_that_do_not_go_together_are_told(tls: Tls, problem: str) -> None:
    assert problem in "".join(tls_problems(tls))
