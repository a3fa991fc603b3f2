"""The uplink against a real HTTP server on the loopback, with a real buffer behind it."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from edge_agent.uplink.policy import hold_s
from edge_agent.uplink.state import LARGEST_FRAMES, Alarm
from edge_agent.wire.frame import FrameFlag
from edge_agent.wire.signing import SigningKey
from edge_agent.wire.vocabulary import Verdict
from tests.edge_agent.uplink.gateway import GATEWAY, Gateway, gateway
from tests.edge_agent.uplink.http_centre import HttpCentre, Seen, answering, http_centre, silent
from tests.edge_agent.uplink.model_centre import ModelCentre, Reaction

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.asyncio
FORGER = SigningKey.from_seed(b"f" * 32)


async def settled(agent: Gateway) -> None:
    """Return once nothing waits for a receipt."""
    async with asyncio.timeout(20):
        while agent.buffer.backlog().unreceipted_count:  # noqa: ASYNC110 - no event tells of receipts
            await asyncio.sleep(0)


async def test_what_waits_is_sent_at_once_after_the_start(tmp_path: Path) -> None:
    async with http_centre(GATEWAY) as centre, gateway(tmp_path, centre.url) as agent:
        await agent.commit(2)
        async with agent.uploading():
            await settled(agent)
        assert len(centre.model.stored) == 3
        [request] = centre.seen
        assert request.path == f"/v1/gateways/{GATEWAY}/batches"
        assert request.headers["content-type"] == "application/vnd.emissionwatch.ewp1"
        assert agent.uplink.status().delivered_batches == 3


async def test_the_next_upload_comes_an_interval_later_on_the_same_connection(
    tmp_path: Path,
) -> None:
    async with http_centre(GATEWAY) as centre, gateway(tmp_path, centre.url) as agent:
        async with agent.uploading():
            await settled(agent)
            for _ in range(3):
                await agent.commit()
                assert await agent.clock.asleep() == pytest.approx(60)
                await agent.commit()
                await agent.clock.pass_time(60)
                await settled(agent)
        assert [len(request.frames) for request in centre.seen] == [1, 2, 2, 2]
        assert centre.connections == 1


async def test_enough_readings_are_sent_before_the_interval_is_over(tmp_path: Path) -> None:
    async with (
        http_centre(GATEWAY) as centre,
        gateway(tmp_path, centre.url, upload_readings=100) as agent,
        agent.uploading(),
    ):
        await settled(agent)
        await agent.commit(readings=60)
        await agent.clock.asleep()
        assert len(centre.seen) == 1
        await agent.commit(readings=60)
        await settled(agent)
        assert len(centre.seen) == 2


async def test_a_backlog_goes_at_once_in_several_requests_the_newest_batches_first(
    tmp_path: Path,
) -> None:
    async with http_centre(GATEWAY) as centre, gateway(tmp_path, centre.url) as agent:
        await agent.commit(LARGEST_FRAMES + 100)
        async with agent.uploading():
            await settled(agent)
        live, *backlog = centre.seen
        assert live.frames[-1].batch_no == LARGEST_FRAMES + 100
        assert {frame.flags for frame in live.frames} == {FrameFlag.BEFORE_FOLLOWS_LATER}
        numbers = [frame.batch_no for request in backlog for frame in request.frames]
        assert numbers == list(range(live.frames[0].batch_no))
        assert {frame.flags for request in backlog for frame in request.frames} == {FrameFlag(0)}
        assert not centre.model.missing


async def test_an_outage_backs_off_and_its_end_is_noticed_at_once(tmp_path: Path) -> None:
    async with http_centre(GATEWAY) as centre:
        url = centre.url
    async with gateway(tmp_path, url) as agent, agent.uploading():
        assert await agent.clock.asleep() == pytest.approx(1.5)
        await agent.commit(5)
        await agent.clock.pass_time(1.5)
        assert await agent.clock.asleep() == pytest.approx(2.5)
        status = agent.uplink.status()
        assert (status.failures, status.last_contact_ns) == (2, None)
        assert status.last_error is not None
        assert "ConnectError" in status.last_error
        async with http_centre(GATEWAY, port=int(url.rpartition(":")[2])) as centre:
            await agent.clock.pass_time(2.5)
            await settled(agent)
            assert len(centre.model.stored) == 6
        assert agent.uplink.status().last_error is None


async def test_a_busy_centre_is_left_alone_as_long_as_it_asks(tmp_path: Path) -> None:
    async with http_centre(GATEWAY) as centre, gateway(tmp_path, centre.url) as agent:
        centre.faults = [answering(Reaction(status=503), retry_after="120")]
        async with agent.uploading():
            assert await agent.clock.asleep() == pytest.approx(121.5)
            assert agent.uplink.status().next_try_ns is not None
            await agent.clock.pass_time(121.5)
            await settled(agent)


def forged(centre: HttpCentre) -> Callable[[Seen], tuple[int, dict[str, str], bytes]]:
    """Return a fault that answers with receipts which somebody else signed."""

    def fault(seen: Seen) -> tuple[int, dict[str, str], bytes]:
        receipts = [
            centre.model.receipt(frame, Verdict.ACCEPTED, key=FORGER) for frame in seen.frames
        ]
        return 200, {}, Reaction(status=200, receipts=tuple(receipts)).body()

    return fault


async def test_a_forged_receipt_is_an_alarm_and_forgets_nothing(tmp_path: Path) -> None:
    async with http_centre(GATEWAY) as centre, gateway(tmp_path, centre.url) as agent:
        centre.faults = [forged(centre)]
        async with agent.uploading():
            await agent.clock.asleep()
            assert agent.buffer.backlog().unreceipted_count == 1
            assert agent.uplink.status().alarms == (Alarm.RECEIPT_REFUSED,)
            await agent.clock.pass_time(10)
            await settled(agent)
        assert agent.uplink.status().alarms == (Alarm.RECEIPT_REFUSED,)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(silent, id="closed without an answer"),
        pytest.param(lambda _: (200, {}, b"<html>log in to use this network"), id="a portal"),
        pytest.param(lambda _: (200, {}, b"{}" * 1_000_000), id="far too long"),
        pytest.param(lambda _: (200, {}, b"[" * 100_000), id="too deep"),
        pytest.param(lambda _: (302, {"location": "/"}, b""), id="sent elsewhere"),
        pytest.param(lambda _: (404, {}, b""), id="unknown here"),
        pytest.param(lambda _: (500, {}, b""), id="broken"),
    ],
)
async def test_an_answer_that_is_none_is_survived_and_forgets_nothing(
    tmp_path: Path, fault: Callable[[Seen], tuple[int, dict[str, str], bytes] | None]
) -> None:
    async with http_centre(GATEWAY) as centre, gateway(tmp_path, centre.url) as agent:
        centre.faults = [fault]
        async with agent.uploading():
            wait_s = await agent.clock.asleep()
            assert agent.buffer.backlog().unreceipted_count == 1
            assert agent.uplink.status().last_error is not None
            await agent.clock.pass_time(wait_s)
            await settled(agent)
        assert agent.uplink.status().alarms == ()
        assert len(centre.seen) == 2


async def test_a_centre_that_lost_its_store_gets_everything_again(tmp_path: Path) -> None:
    async with http_centre(GATEWAY) as centre, gateway(tmp_path, centre.url) as agent:
        await agent.commit(20)
        async with agent.uploading():
            await settled(agent)
            newest = list(centre.model.stored.values())[-1]
            centre.model = ModelCentre(gateway_id=GATEWAY)
            await agent.commit()
            await agent.clock.pass_time(60)
            await settled(agent)
        assert len(centre.model.stored) == 22
        assert [request.receipts for request in centre.seen] == [[], [], [newest], []][
            : len(centre.seen)
        ]
        assert agent.uplink.status().alarms == ()


async def test_a_batch_damaged_on_our_own_disk_is_given_up_and_holds_nothing_up(
    tmp_path: Path,
) -> None:
    async with http_centre(GATEWAY) as centre, gateway(tmp_path, centre.url) as agent:
        await agent.commit(4)
        with closing(sqlite3.connect(tmp_path / "buffer.db")) as other, other:
            other.execute("UPDATE sealed SET body = x'00' WHERE position = 3")
        blamed = Reaction(status=422, error={"code": "body", "frame": 2})
        centre.faults = [answering(blamed)]
        async with agent.uploading():
            await settled(agent)
        flags = {frame.batch_no: frame.flags for frame in centre.seen[1].frames}
        assert flags == {0: 0, 1: 0, 3: FrameFlag.HOLDS_NONE_BEFORE, 4: 0, 5: 0}
        assert Alarm.OWN_COPY_DAMAGED in agent.uplink.status().alarms
        assert len(centre.model.stored) == 5


async def test_a_request_that_a_line_has_altered_costs_minutes_and_nothing_else(
    tmp_path: Path,
) -> None:
    """A flipped bit in a header or a signature: for the centre somebody without a key sends."""
    async with http_centre(GATEWAY) as centre, gateway(tmp_path, centre.url) as agent:
        await agent.commit(2)
        centre.faults = [answering(Reaction(status=403, error={"code": "key", "frame": 1}))]
        async with agent.uploading():
            wait_s = await agent.clock.asleep()
            assert wait_s == hold_s(fraction=0.5)
            assert agent.uplink.status().alarms == (Alarm.HELD_FOR_KEY,)
            await agent.commit(2)  # it keeps recording
            await agent.clock.pass_time(wait_s)
            await settled(agent)
        first, *later = centre.seen
        assert [frame.batch_no for frame in first.frames] == [0, 1, 2]
        assert [frame.batch_no for one in later for frame in one.frames] == [0, 1, 2, 3, 4]
        assert agent.uplink.status().alarms == ()


async def test_flush_sends_the_last_batches_and_says_so(tmp_path: Path) -> None:
    async with http_centre(GATEWAY) as centre, gateway(tmp_path, centre.url) as agent:
        await agent.commit(LARGEST_FRAMES + 10)
        assert await agent.uplink.flush(10)
        assert len(centre.model.stored) == LARGEST_FRAMES + 11


async def test_flush_does_not_wait_out_a_back_off(tmp_path: Path) -> None:
    async with http_centre(GATEWAY) as centre, gateway(tmp_path, centre.url) as agent:
        centre.faults = [silent, silent]
        async with agent.uploading():
            await agent.clock.asleep()
        assert not await agent.uplink.flush(10)
        assert await agent.uplink.flush(10)


async def test_a_dead_centre_cannot_hold_the_shutdown(tmp_path: Path) -> None:
    async def listen(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)

    writers: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, gateway(tmp_path, f"http://127.0.0.1:{port}") as agent:
        loop = asyncio.get_running_loop()
        started = loop.time()
        assert not await agent.uplink.flush(0.2)
        assert loop.time() - started < 2
        assert agent.buffer.backlog().unreceipted_count == 1
        for writer in writers:
            writer.close()


async def test_a_fork_starts_a_new_chain_and_the_old_one_is_sent_as_it_is(tmp_path: Path) -> None:
    async with http_centre(GATEWAY) as centre, gateway(tmp_path, centre.url) as agent:
        await agent.commit()
        genesis, second = await agent.buffer.unreceipted(2)
        centre.model.main[second.chain_id, 1] = genesis.batch_hash
        async with agent.uploading():
            await settled(agent)
            await agent.commit()
            await agent.clock.pass_time(60)
            await settled(agent)
        assert Alarm.FORK in agent.uplink.status().alarms
        head = agent.buffer.head
        assert head is not None
        assert (head.header.batch_no, head.header.chain_id != second.chain_id) == (0, True)
        assert len(centre.model.stored) == 3
