"""Uploads over HTTP on a real server: what each thing that can come is answered."""

from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
import zstandard

from central_sync.model import AlarmCode
from edge_agent.wire.frame import encode_receipt
from edge_agent.wire.receipt import BatchPlace, Receipt, sign_receipt, verify_receipt
from edge_agent.wire.vocabulary import Verdict
from tests.central_sync.api.running_centre import running
from tests.central_sync.ingest.signed_chain import LATER, SignedChain, framed, uuid_of

pytestmark = pytest.mark.asyncio


async def test_a_good_chain_gets_a_receipt_for_every_batch(tmp_path: Path) -> None:
    chain = SignedChain()
    batches = chain.batches(3)
    async with running(tmp_path) as centre:
        centre.register(chain)
        answer = await centre.post(chain, *map(framed, batches))
        assert answer.status == 200
        assert answer.error is None
        key = centre.centre.receipt_key.verifying_key
        for batch, receipt in zip(batches, answer.receipts, strict=True):
            verify_receipt(
                Receipt.unpack(receipt), key, BatchPlace.of(batch.header, batch.batch_hash)
            )
        assert answer.body["head"] == {
            "chain": str(uuid_of(2)),
            "batch_no": 2,
            "batch_hash": batches[2].batch_hash.hex(),
        }
        assert answer.body["wanted"] == []
        assert answer.body["wanted_bundles"] == [batches[0].header.config_hash.hex()]


async def test_a_replay_gets_the_same_receipt_byte_for_byte(tmp_path: Path) -> None:
    chain = SignedChain()
    frames = list(map(framed, chain.batches(2)))
    async with running(tmp_path) as centre:
        centre.register(chain)
        first = await centre.post(chain, *frames)
        assert (await centre.post(chain, *frames)).body == first.body
        assert (await centre.post(chain, frames[0])).receipts == first.receipts[:1]


async def test_an_answer_that_was_lost_is_given_again_after_a_restart(tmp_path: Path) -> None:
    chain = SignedChain()
    frame = framed(chain.batch())
    async with running(tmp_path) as centre:
        centre.register(chain)
        first = await centre.post(chain, frame)
    async with running(tmp_path) as centre:
        assert (await centre.post(chain, frame)).receipts == first.receipts


async def test_what_is_packed_with_zstd_is_unpacked(tmp_path: Path) -> None:
    chain = SignedChain()
    packed = zstandard.compress(b"".join(map(framed, chain.batches(4))))
    async with running(tmp_path) as centre:
        centre.register(chain)
        answer = await centre.post(chain, packed, content_encoding="zstd")
        assert (answer.status, answer.verdicts) == (200, [0, 0, 0, 0])


async def test_a_request_cut_off_stores_what_came_before_the_cut(tmp_path: Path) -> None:
    chain = SignedChain()
    zero, one = map(framed, chain.batches(2))
    async with running(tmp_path) as centre:
        centre.register(chain)
        answer = await centre.post(chain, zero, one[:-1])
        assert (answer.status, answer.error, answer.verdicts) == (400, "frame frame", [0])
        assert answer.body["error"]["frame"] == 1
        assert (await centre.post(chain, zero, one)).verdicts == [0, 0]


async def test_a_forged_signature_is_kept_and_tells_nothing(tmp_path: Path) -> None:
    chain = SignedChain()
    zero, one = chain.batches(2)
    async with running(tmp_path) as centre:
        centre.register(chain)
        await centre.post(chain, framed(zero))
        answer = await centre.post(chain, framed(replace(one, signature=bytes(64))))
        assert (answer.status, answer.error) == (403, "key signature")
        assert (answer.body["head"], answer.body["wanted_bundles"]) == (None, [])
        (alarm,) = centre.centre.store.alarms(is_open=True)
        assert (alarm.code, alarm.gateway_id) == (AlarmCode.KEY, chain.gateway_id)


async def test_good_frames_before_a_forged_one_are_stored(tmp_path: Path) -> None:
    chain = SignedChain()
    zero, one = chain.batches(2)
    async with running(tmp_path) as centre:
        centre.register(chain)
        answer = await centre.post(chain, framed(zero), framed(replace(one, signature=bytes(64))))
        assert (answer.status, answer.verdicts, answer.body["error"]["frame"]) == (403, [0], 1)


async def test_an_unknown_gateway_is_refused(tmp_path: Path) -> None:
    chain = SignedChain()
    async with running(tmp_path) as centre:
        answer = await centre.post(chain, framed(chain.batch()))
        assert (answer.status, answer.error) == (403, "key key")
        (alarm,) = centre.centre.store.alarms(is_open=True)
        assert alarm.gateway_id is None


async def test_a_batch_of_another_gateway_is_refused(tmp_path: Path) -> None:
    chain = SignedChain()
    async with running(tmp_path) as centre:
        centre.register(chain)
        other = SignedChain(gateway_id=uuid4())
        answer = await centre.post(other, framed(chain.batch()))
        assert (answer.status, answer.error) == (403, "key key")


async def test_a_revoked_key_is_refused_at_once(tmp_path: Path) -> None:
    chain = SignedChain()
    zero, one = map(framed, chain.batches(2))
    async with running(tmp_path) as centre:
        centre.register(chain)
        assert (await centre.post(chain, zero)).status == 200
        centre.centre.store.revoke_gateway(chain.gateway_id, reason="stolen")
        answer = await centre.post(chain, one)
        assert (answer.status, answer.error) == (403, "key key")


async def test_a_bad_header_is_a_bad_frame(tmp_path: Path) -> None:
    chain = SignedChain()
    batch = chain.batch()
    raw = bytearray(batch.header_bytes)
    raw[110] = 1  # reserved
    async with running(tmp_path) as centre:
        centre.register(chain)
        answer = await centre.post(chain, framed(replace(batch, header_bytes=bytes(raw))))
        assert (answer.status, answer.error) == (400, "frame header")


async def test_a_damaged_body_is_not_kept_and_comes_again(tmp_path: Path) -> None:
    chain = SignedChain()
    zero, one, two = chain.batches(3)
    damaged = replace(one, body=one.body[:-1] + bytes([one.body[-1] ^ 1]))
    async with running(tmp_path) as centre:
        centre.register(chain)
        answer = await centre.post(chain, framed(zero), framed(damaged), framed(two))
        assert (answer.status, answer.verdicts) == (422, [0])
        assert answer.error in {"body zstd", "body payload"}
        assert answer.body["head"]["batch_no"] == 0
        assert (await centre.post(chain, framed(one), framed(two))).verdicts == [0, 0]


async def test_unfit_content_gets_verdict_1_and_the_next_batch_is_accepted(
    tmp_path: Path,
) -> None:
    chain = SignedChain()
    frames = [framed(one) for one in (chain.batch(), chain.unfit(), chain.batch())]
    async with running(tmp_path) as centre:
        centre.register(chain)
        answer = await centre.post(chain, *frames)
        assert (answer.status, answer.verdicts) == (200, [0, 1, 0])


async def test_a_gap_tells_where_to_go_on(tmp_path: Path) -> None:
    chain = SignedChain()
    zero, _, two = chain.batches(3)
    async with running(tmp_path) as centre:
        centre.register(chain)
        await centre.post(chain, framed(zero))
        answer = await centre.post(chain, framed(two))
        assert (answer.status, answer.error) == (409, "gap")
        assert answer.body["error"]["expected"] == {"chain": str(uuid_of(2)), "batch_no": 1}


async def test_live_before_backlog_then_the_hole_fills(tmp_path: Path) -> None:
    chain = SignedChain()
    batches = chain.batches(5)
    async with running(tmp_path) as centre:
        centre.register(chain)
        await centre.post(chain, framed(batches[0]))
        answer = await centre.post(chain, framed(batches[4], LATER))
        wanted = {
            "chain": str(uuid_of(2)),
            "batch_no": 3,
            "batch_hash": batches[3].batch_hash.hex(),
        }
        assert (answer.status, answer.body["wanted"]) == (200, [wanted])
        answer = await centre.post(chain, *map(framed, batches[1:4]))
        assert (answer.verdicts, answer.body["wanted"]) == ([0, 0, 0], [])
        assert answer.body["head"]["batch_no"] == 4


async def test_a_list_of_holes_has_at_most_256_entries(tmp_path: Path) -> None:
    chain = SignedChain()
    batches = chain.batches(521)
    async with running(tmp_path) as centre:
        centre.register(chain)
        await centre.post(chain, *(framed(one, LATER) for one in batches[2:261:2]))
        answer = await centre.post(chain, *(framed(one, LATER) for one in batches[262::2]))
        numbers = [one["batch_no"] for one in answer.body["wanted"]]
        assert numbers == list(range(1, 512, 2))
        assert centre.centre.store.counts().holes == 260


async def test_our_own_receipt_for_what_we_lack_raises_an_alarm(tmp_path: Path) -> None:
    chain = SignedChain()
    batch = chain.batches(4)[3]
    async with running(tmp_path) as centre:
        centre.register(chain)
        receipt = sign_receipt(
            centre.centre.receipt_key,
            BatchPlace.of(batch.header, batch.batch_hash),
            verdict=Verdict.ACCEPTED,
            received_ns=1,
        )
        answer = await centre.post(chain, encode_receipt(receipt.pack()), framed(batch))
        assert answer.status == 409
        assert answer.body["error"]["frame"] == 1
        codes = {alarm.code for alarm in centre.centre.store.alarms(is_open=True)}
        assert codes == {AlarmCode.SERVER_BEHIND}


async def test_a_fork_is_stored_beside_with_an_alarm(tmp_path: Path) -> None:
    chain = SignedChain()
    zero = chain.batch()
    one = chain.batch(moves=False)
    async with running(tmp_path) as centre:
        centre.register(chain)
        await centre.post(chain, framed(zero), framed(one))
        answer = await centre.post(chain, framed(chain.forged(one, wall_ns=7)))
        assert answer.status == 200
        (packed,) = answer.receipts
        assert Receipt.unpack(packed).verdict is Verdict.BRANCH
        assert answer.body["head"]["batch_hash"] == one.batch_hash.hex()
        codes = {alarm.code for alarm in centre.centre.store.alarms(is_open=True)}
        assert codes == {AlarmCode.FORK}
