"""A batch that kills its reader, and a gateway that sends too much: over HTTP."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from central_sync.config import CentreSettings, Limits
from central_sync.ingest.decoder import Decoders
from central_sync.model import AlarmCode
from edge_agent.wire.signing import SigningKey
from edge_agent.wire.vocabulary import Verdict
from tests.central_sync.api.running_centre import running
from tests.central_sync.ingest import bad_decoder
from tests.central_sync.ingest.signed_chain import SignedChain, framed, uuid_of

pytestmark = pytest.mark.asyncio
OTHER_KEY = SigningKey.from_seed(b"o" * 32)


async def test_a_batch_that_kills_its_decoder_is_quarantined_and_the_chain_goes_on(
    tmp_path: Path,
) -> None:
    chain = SignedChain()
    frames = [framed(batch) for batch in chain.batches(3)]
    with Decoders(1, (str(bad_decoder.__file__),)) as decoders:
        async with running(tmp_path, read_bodies=decoders) as centre:
            centre.register(chain)
            answer = await centre.post(chain, *frames[: bad_decoder.CRASHES + 1])
            assert answer.verdicts == [Verdict.ACCEPTED, Verdict.QUARANTINED]
            (alarm,) = centre.centre.store.alarms(is_open=True)
            assert alarm.code is AlarmCode.CONTENT
            assert "SIGSEGV" in alarm.detail
            again = await centre.post(chain, frames[bad_decoder.CRASHES])
            assert again.receipts == answer.receipts[1:]
            assert (await centre.client.get("/readyz")).status_code == 200


async def test_one_gateways_storm_leaves_the_others_alone(tmp_path: Path) -> None:
    limits = Limits(requests_per_minute=10)
    settings = CentreSettings(state=tmp_path, listen="127.0.0.1:0", limits=limits)
    storm, calm = (
        SignedChain(),
        SignedChain(gateway_id=uuid_of(9), key=OTHER_KEY),
    )
    frame = framed(storm.batch())
    async with running(tmp_path, settings=settings) as centre:
        centre.register(storm)
        centre.register(calm)
        statuses: Counter[int] = Counter()

        async def blow() -> None:
            for _ in range(20):
                answer = await centre.post(storm, frame)
                statuses[answer.status] += 1
                if answer.status == 429:
                    assert 1 <= int(answer.headers["retry-after"]) <= 60
                    assert (answer.error, answer.receipts) == ("overload", [])

        async with asyncio.TaskGroup() as group:
            for _ in range(4):
                group.create_task(blow())
            for batch in calm.batches(8):
                answer = await centre.post(calm, framed(batch))
                assert (answer.status, answer.verdicts) == (200, [Verdict.ACCEPTED])
        assert sum(statuses.values()) == 80
        assert 10 <= statuses[200] <= 14
        assert set(statuses) <= {200, 429, 503}


async def test_a_stranger_cannot_spend_what_a_gateway_has(tmp_path: Path) -> None:
    limits = Limits(requests_per_minute=2)
    settings = CentreSettings(state=tmp_path, listen="127.0.0.1:0", limits=limits)
    chain, stranger = SignedChain(), SignedChain(key=OTHER_KEY)
    forged, genuine = framed(stranger.batch()), framed(chain.batch())
    async with running(tmp_path, settings=settings) as centre:
        centre.register(chain)
        for _ in range(5):
            assert (await centre.post(stranger, forged)).status == 403
        assert (await centre.post(chain, genuine)).status == 200
