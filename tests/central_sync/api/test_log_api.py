"""The log over HTTP: a stranger can follow it, and prove what is in it."""

from base64 import b64decode
from pathlib import Path

import httpx
import pytest

from central_sync.proofs.entry import BatchEntry, leaf
from central_sync.proofs.note import Checkpoint, NoteKey
from central_sync.proofs.tree import check_consistency
from edge_agent.wire.merkle import root_from_path
from edge_agent.wire.receipt import Receipt
from edge_agent.wire.vocabulary import Hash
from tests.central_sync.api.running_centre import Running, running
from tests.central_sync.ingest.signed_chain import SignedChain, framed


async def checkpoint(centre: Running) -> Checkpoint:
    """Return the newest checkpoint, verified under the key that the centre tells."""
    key = NoteKey.parse((await centre.client.get("/v1/log/key")).text.strip())
    return Checkpoint.opened((await centre.client.get("/v1/log/checkpoint")).content, key)


def hashes(answer: httpx.Response) -> list[Hash]:
    """Return the path in an answer."""
    return [Hash(b64decode(one)) for one in answer.json()["path"]]


@pytest.mark.asyncio
async def test_a_stranger_proves_a_receipt_against_a_checkpoint(tmp_path: Path) -> None:
    async with running(tmp_path) as centre:
        chain = SignedChain()
        centre.register(chain)
        witness = centre.centre.witness
        witness.checkpoint()
        first = await checkpoint(centre)
        answer = await centre.post(chain, *map(framed, chain.batches(3)))
        witness.checkpoint()
        second = await checkpoint(centre)
        receipt = Receipt.unpack(answer.receipts[1])
        get = centre.client.get
        found = await get(
            "/v1/log/proof/inclusion", params={"index": receipt.log_index, "size": second.size}
        )
        proven = leaf(BatchEntry.of(receipt).pack())
        assert root_from_path(proven, receipt.log_index, second.size, hashes(found)) == second.root
        between = await get(
            "/v1/log/proof/consistency", params={"from": first.size, "to": second.size}
        )
        check_consistency(first.size, first.root, second.size, second.root, hashes(between))
        listed = await get("/v1/log/entries", params={"start": receipt.log_index, "count": 1})
        (entry,) = listed.json()["entries"]
        assert b64decode(entry) == BatchEntry.of(receipt).pack()


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("proof/inclusion?index=0&size=9999", 404),
        ("proof/inclusion?index=1&size=1", 404),
        ("proof/consistency?from=2&to=1", 404),
        ("proof/consistency?from=0&to=1", 422),
        ("proof/inclusion?index=-1&size=1", 422),
        ("entries?start=0&count=1001", 422),
        ("entries?start=99999", 200),
    ],
)
async def test_what_cannot_be_proven_is_told(tmp_path: Path, address: str, status: int) -> None:
    async with running(tmp_path) as centre:
        assert (await centre.client.get(f"/v1/log/{address}")).status_code == status
