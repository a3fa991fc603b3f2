"""Batches a second that the centre accepts over HTTP, against bare SQLite inserts of the same.

Ten gateways send ten-second batches of 60 channels, six to a request (a minute each), over one
connection a gateway. The floor is the same frames inserted by one thread into one table of one
SQLite file with the same durability, a transaction a request: no HTTP, no signature, no receipt.
"""

import asyncio
import sqlite3
import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import Final
from uuid import UUID, uuid4

import httpx

from edge_agent.wire.batch import Origin, Position, seal
from edge_agent.wire.events import Event
from edge_agent.wire.frame import MEDIA_TYPE, encode_batch
from edge_agent.wire.readings import rows_of
from edge_agent.wire.signing import SigningKey
from edge_agent.wire.vocabulary import BatchFlag, Hash
from tests.bench.figure import Figure
from tests.bench.service import Centre, centre
from tests.bench.size import START_NS, batches, frame_of, raw_words, stamp_at
from tests.bench.subject import now_s, workplace

GATEWAYS: Final = 10
BATCH_S: Final = 10
BATCHES_A_REQUEST: Final = 6
REQUESTS: Final = 10
ROUNDS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """One gateway: its key, and its requests as lists of frames."""

    gateway_id: UUID
    key: SigningKey
    requests: tuple[tuple[bytes, ...], ...]


def measure() -> list[Figure]:
    """Return the rate over HTTP against the rate of the floor."""
    over_http, bare = [], []
    for _ in range(ROUNDS):
        senders = [_sender() for _ in range(GATEWAYS)]
        with tempfile.TemporaryDirectory(dir=workplace()) as name:
            folder = Path(name)
            with centre(folder / "centre") as service:
                for sender in senders:
                    service.register(sender.gateway_id, sender.key.verifying_key)
                over_http.append(asyncio.run(_sent(service, senders)))
            bare.append(_inserted(folder / "floor.db", senders))
    ratios = [one / other for one, other in zip(over_http, bare, strict=True)]
    return [
        Figure(
            name="batches accepted over HTTP / bare SQLite inserts of the same frames",
            measured=median(ratios),
            unit="x",
            note=f"{median(over_http):.0f}/s against {median(bare):.0f}/s; {GATEWAYS} connections,"
            f" {BATCHES_A_REQUEST} batches a request, client and centre on the same two cores",
        )
    ]


def _sender() -> Sender:
    """Return a gateway with some minutes of signed batches, beginning with a genesis."""
    key = SigningKey.from_seed(sha256(uuid4().bytes).digest())
    origin = Origin(
        gateway_id=uuid4(), config_hash=Hash(bytes(32)), software_hash=Hash(bytes(32)), key=key
    )
    first = Event(
        type="continue",
        at_ns=START_NS,
        mono_ns=0,
        fields={"reason": "enrol", "previous": None},
    )
    genesis = seal(
        rows_of([]),
        [first.line],
        position=Position.genesis(uuid4()),
        stamp=stamp_at(0),
        origin=origin,
        flags=BatchFlag(0),
    )
    position = Position.after(genesis.header, genesis.batch_hash)
    words = raw_words("12-bit registers", REQUESTS * BATCHES_A_REQUEST * BATCH_S)
    chain = [genesis, *batches(words, BATCH_S, origin=origin, position=position)]
    frames = [encode_batch(frame_of(batch)) for batch in chain]
    return Sender(
        gateway_id=origin.gateway_id,
        key=key,
        requests=tuple(
            tuple(frames[start : start + BATCHES_A_REQUEST])
            for start in range(0, len(frames), BATCHES_A_REQUEST)
        ),
    )


async def _sent(service: Centre, senders: Sequence[Sender]) -> float:
    """Return the batches a second that the centre takes from all senders at once."""

    async def send(sender: Sender) -> None:
        headers = {"content-type": MEDIA_TYPE}
        path = f"/v1/gateways/{sender.gateway_id}/batches"
        async with httpx.AsyncClient(base_url=service.url, headers=headers, timeout=60) as client:
            for request in sender.requests:
                answer = await client.post(path, content=b"".join(request))
                receipts = answer.json()["receipts"]
                if len(receipts) != len(request):
                    raise RuntimeError(
                        f"{len(receipts)} receipts for {len(request)}: {answer.text}"
                    )

    began_s = now_s()
    async with asyncio.TaskGroup() as group:
        for sender in senders:
            group.create_task(send(sender))
    return _count(senders) / (now_s() - began_s)


def _inserted(path: Path, senders: Sequence[Sender]) -> float:
    """Return the batches a second that bare inserts take: one transaction a request."""
    with closing(sqlite3.connect(path, isolation_level=None)) as floor:
        floor.execute("PRAGMA journal_mode = WAL")
        floor.execute("PRAGMA synchronous = FULL")
        floor.execute("CREATE TABLE batch (number INTEGER PRIMARY KEY, frame BLOB NOT NULL)")
        began_s = now_s()
        for sender in senders:
            for request in sender.requests:
                floor.execute("BEGIN IMMEDIATE")
                for frame in request:
                    floor.execute("INSERT INTO batch (frame) VALUES (?)", (frame,))
                floor.execute("COMMIT")
        return _count(senders) / (now_s() - began_s)


def _count(senders: Sequence[Sender]) -> int:
    return sum(len(request) for sender in senders for request in sender.requests)
