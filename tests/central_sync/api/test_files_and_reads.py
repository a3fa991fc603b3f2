"""Bundles and profiles in, batches and the fleet out, and our own state, on a real server."""

import asyncio
from dataclasses import replace
from hashlib import sha256
from itertools import count
from pathlib import Path

import httpx
import pytest
import zstandard

from central_sync.api.fleet import rfc3339
from central_sync.api.headers import CONTENT_SECURITY_POLICY
from central_sync.config import CentreSettings
from central_sync.model import AlarmCode
from edge_agent.wire.bundle import config_hash
from edge_agent.wire.frame import MEDIA_TYPE
from tests.central_sync.api.running_centre import NOW, Running, running
from tests.central_sync.ingest.signed_chain import (
    TEN,
    S,
    SignedChain,
    bundle_of,
    framed,
    uuid_of,
)

pytestmark = pytest.mark.asyncio
PROFILE = b"profile"


async def put(centre: Running, kind: str, body: bytes, name: str = "") -> httpx.Response:
    return await centre.client.put(f"/v1/{kind}/{name or sha256(body).hexdigest()}", content=body)


async def test_a_wanted_bundle_is_kept_and_wanted_no_more(tmp_path: Path) -> None:
    chain = SignedChain()
    async with running(tmp_path) as centre:
        centre.register(chain)
        frame = framed(chain.batch())
        (wanted,) = (await centre.post(chain, frame)).body["wanted_bundles"]
        assert (await put(centre, "bundles", chain.bundle, wanted)).status_code == 204
        assert (await centre.post(chain, frame)).body["wanted_bundles"] == []
        assert (await put(centre, "bundles", chain.bundle)).status_code == 204
        assert centre.centre.store.bundle(config_hash(chain.bundle)) == chain.bundle


async def test_a_bundle_may_come_packed(tmp_path: Path) -> None:
    chain = SignedChain()
    async with running(tmp_path) as centre:
        centre.register(chain)
        await centre.post(chain, framed(chain.batch()))
        answer = await centre.client.put(
            f"/v1/bundles/{config_hash(chain.bundle).hex()}",
            content=zstandard.compress(chain.bundle),
            headers={"Content-Encoding": "zstd"},
        )
        assert answer.status_code == 204


@pytest.mark.parametrize("kind", ["bundles", "profiles"])
async def test_what_nobody_named_is_not_taken(tmp_path: Path, kind: str) -> None:
    async with running(tmp_path) as centre:
        answer = await put(centre, kind, b"{}")
        assert (answer.status_code, answer.json()["code"]) == (404, "unwanted")
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("kind", ["bundles", "profiles"])
async def test_another_body_than_the_hash_says_is_not_taken(tmp_path: Path, kind: str) -> None:
    chain = SignedChain()
    wanted = {"bundles": chain.bundle, "profiles": PROFILE}[kind]
    async with running(tmp_path) as centre:
        centre.register(chain)
        await centre.post(chain, framed(chain.batch()))
        await put(centre, "bundles", chain.bundle)
        answer = await put(centre, kind, b"{}", sha256(wanted).hexdigest())
        assert (answer.status_code, answer.json()["code"]) == (422, "hash")


@pytest.mark.parametrize("kind", ["bundles", "profiles"])
async def test_what_nobody_named_is_not_even_read(tmp_path: Path, kind: str) -> None:
    async with running(tmp_path) as centre:
        reader, writer = await asyncio.open_connection("127.0.0.1", centre.client.base_url.port)
        head = f"PUT /v1/{kind}/{'00' * 32} HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\n"
        writer.write(head.encode())
        answer = await reader.readuntil(b"\r\n")
        writer.close()
        assert answer.startswith(b"HTTP/1.1 404")


@pytest.mark.parametrize("name", ["x", "AB" * 32, "ab" * 31, "zz" * 32])
async def test_an_address_that_is_no_hash_is_not_found(tmp_path: Path, name: str) -> None:
    async with running(tmp_path) as centre:
        answer = await put(centre, "bundles", b"{}", name)
        assert (answer.status_code, answer.json()["code"]) == (404, "hash")


async def test_a_profile_is_wanted_once_a_kept_bundle_names_it(tmp_path: Path) -> None:
    chain = SignedChain()
    async with running(tmp_path) as centre:
        centre.register(chain)
        await centre.post(chain, framed(chain.batch()))
        assert (await put(centre, "profiles", PROFILE)).status_code == 404
        await put(centre, "bundles", chain.bundle)
        assert (await put(centre, "profiles", PROFILE)).status_code == 204


async def test_a_signed_hash_of_no_bundle_is_not_taken_for_one(tmp_path: Path) -> None:
    chain = SignedChain(bundle=b'{"version":1}')
    async with running(tmp_path) as centre:
        centre.register(chain)
        await centre.post(chain, framed(chain.batch()))
        answer = await put(centre, "bundles", chain.bundle)
        assert (answer.status_code, answer.json()["code"]) == (422, "bundle")
        assert centre.centre.store.bundle(config_hash(chain.bundle)) is None


async def test_a_profile_beyond_the_limit_is_not_read(tmp_path: Path) -> None:
    chain = SignedChain()
    async with running(tmp_path) as centre:
        centre.register(chain)
        await centre.post(chain, framed(chain.batch()))
        await put(centre, "bundles", chain.bundle)
        named = sha256(PROFILE).hexdigest()
        answer = await put(centre, "profiles", bytes(1024 * 1024 + 1), named)
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


async def test_a_simulated_plant_is_refused_unless_it_is_allowed(tmp_path: Path) -> None:
    chain = SignedChain(bundle=bundle_of(simulated=True))
    frame = framed(chain.batch())
    async with running(tmp_path) as centre:
        centre.register(chain)
        await centre.post(chain, frame)
        answer = await put(centre, "bundles", chain.bundle)
        assert (answer.status_code, answer.json()["code"]) == (403, "simulated")
        assert (await centre.post(chain, frame)).body["wanted_bundles"] == []
        (alarm,) = centre.centre.store.alarms(is_open=True)
        assert (alarm.code, alarm.gateway_id) == (AlarmCode.SIMULATED, chain.gateway_id)
        assert "stay undecoded" in alarm.detail
        centre.centre.store.forget_refusals()
    allowed = CentreSettings(state=tmp_path, listen="127.0.0.1:0", allow_simulated=True)
    async with running(tmp_path, settings=allowed) as centre:
        assert (await put(centre, "bundles", chain.bundle)).status_code == 204
        assert centre.centre.store.alarms(is_open=True) == ()


async def test_a_batch_is_given_out_as_it_came_with_verdict_and_receipt(tmp_path: Path) -> None:
    chain = SignedChain()
    zero, unfit = chain.batch(), chain.unfit()
    async with running(tmp_path) as centre:
        centre.register(chain)
        answer = await centre.post(chain, framed(zero), framed(unfit))
        path = f"/v1/batches/{chain.gateway_id}/{uuid_of(2)}"
        for number, batch, verdict in ((0, zero, "accepted"), (1, unfit, "quarantined")):
            stored = await centre.client.get(f"{path}/{number}")
            assert stored.content == framed(batch)
            assert stored.headers["content-type"] == MEDIA_TYPE
            assert stored.headers["emissionwatch-verdict"] == verdict
            receipt = stored.headers["emissionwatch-receipt"]
            assert receipt == answer.body["receipts"][number]
        missing = await centre.client.get(f"{path}/2")
        assert (missing.status_code, missing.json()["code"]) == (404, "batch")


@pytest.mark.parametrize(
    "path",
    ["x/y/0", f"{uuid_of(1)}/{uuid_of(2)}/-1", f"{uuid_of(1)}/{uuid_of(2)}/9223372036854775808"],
)
async def test_parameters_that_cannot_be_are_told_as_a_problem(tmp_path: Path, path: str) -> None:
    async with running(tmp_path) as centre:
        answer = await centre.client.get(f"/v1/batches/{path}")
        assert (answer.status_code, answer.json()["code"]) == (422, "parameter")


async def test_the_fleet_is_told_as_json(tmp_path: Path) -> None:
    chain = SignedChain()
    async with running(tmp_path) as centre:
        centre.register(chain)
        batch = chain.batch()
        await centre.post(chain, framed(batch))
        (gateway,) = (await centre.client.get("/v1/fleet/gateways")).json()["gateways"]
        assert gateway["id"] == str(chain.gateway_id)
        assert gateway["last_seen"] == "2026-11-20T11:00:00Z"
        assert gateway["last_data"] == "2026-11-20T10:00:00Z"
        assert (gateway["batch_count"], gateway["record_count"]) == (1, 2)
        assert gateway["head"]["batch_hash"] == batch.batch_hash.hex()
        assert gateway["head"]["contiguous_no"] == 0
        assert (gateway["clock_state"], gateway["clock_error_ms"]) == ("ntp", 5)
        assert gateway["missing_bundle_count"] == 1
        assert gateway["alarms"] == []


async def test_what_is_not_there_is_told_as_a_problem(tmp_path: Path) -> None:
    async with running(tmp_path) as centre:
        answer = await centre.client.get("/v1/nothing")
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] == "not_found"
        answer = await centre.client.delete("/v1/fleet/gateways")
        assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")


async def test_every_answer_carries_the_security_headers(tmp_path: Path) -> None:
    async with running(tmp_path) as centre:
        for path in ("/", "/healthz", "/v1/nothing", "/openapi.json", "/v1/fleet/gateways"):
            headers = (await centre.client.get(path)).headers
            assert headers["content-security-policy"] == CONTENT_SECURITY_POLICY
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"
            assert "server" not in headers


async def test_the_description_of_the_api_lists_what_programs_use(tmp_path: Path) -> None:
    async with running(tmp_path) as centre:
        paths = (await centre.client.get("/openapi.json")).json()["paths"]
        assert {"/v1/fleet/gateways", "/v1/hourly"} <= paths.keys()


async def test_health_and_readiness_are_told(tmp_path: Path) -> None:
    async with running(tmp_path) as centre:
        assert (await centre.client.get("/healthz")).json() == {"status": "ok"}
        assert (await centre.client.get("/readyz")).json() == {"status": "ready"}


async def test_metrics_count_what_came_in(tmp_path: Path) -> None:
    chain = SignedChain()
    zero, unfit = chain.batch(), chain.unfit()
    async with running(tmp_path) as centre:
        centre.register(chain)
        await centre.post(chain, framed(zero), framed(unfit))
        await centre.post(chain, framed(zero))
        await centre.post(chain, framed(replace(zero, signature=bytes(64))))
        lines = (await centre.client.get("/metrics")).text.splitlines()
    for line in (
        'emissionwatch_ingest_batches_total{result="accepted"} 1.0',
        'emissionwatch_ingest_batches_total{result="quarantined"} 1.0',
        'emissionwatch_ingest_batches_total{result="repeated"} 1.0',
        'emissionwatch_ingest_batches_total{result="key"} 1.0',
        "emissionwatch_ingest_readings_total 2.0",
        "emissionwatch_signature_failures_total 1.0",
        "emissionwatch_ingest_seconds_count 3.0",
        "emissionwatch_stored_batches 2.0",
        "emissionwatch_quarantined_batches 1.0",
        "emissionwatch_gateways 1.0",
    ):
        assert line in lines


async def test_the_worker_is_woken_by_batches_and_by_their_bundle(tmp_path: Path) -> None:
    """Dirty hours go away by themselves: nobody has to ask."""
    chain, moments = SignedChain(), count(NOW, S)
    async with running(tmp_path, now_ns=lambda: next(moments)) as centre:
        centre.register(chain)
        store = centre.centre.store
        await centre.post(chain, framed(chain.batch()))
        while store.dirty_hours(1):
            await centre.client.get("/healthz")
        await put(centre, "bundles", chain.bundle)
        while store.dirty_hours(1):
            await centre.client.get("/healthz")
        values = store.hourly(facility=None, channel=None, from_ns=TEN, to_ns=NOW)
        assert {one.value.name for one in values} == {"NOX", "SO2"}


@pytest.mark.parametrize(
    ("at_ns", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (TEN + 1_000, "2026-11-20T10:00:00.000001Z"),
        (TEN + 999, "2026-11-20T10:00:00Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
    ],
)
async def test_times_are_rfc_3339(at_ns: int, text: str) -> None:
    assert rfc3339(at_ns) == text
