"""Two of the accidents with nothing simulated: buffers and a centre on disk, HTTP between them."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from central_sync.config import CentreSettings
from central_sync.model import AlarmCode
from edge_agent.uplink.state import Alarm
from edge_agent.wire.vocabulary import Verdict
from tests.central_sync.api.running_centre import Running, running
from tests.edge_agent.uplink.gateway import GATEWAY, KEY, Gateway, gateway

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path
    from uuid import UUID

pytestmark = pytest.mark.asyncio


@pytest.fixture
def card(tmp_path: Path) -> Path:
    """Return the folder of a gateway."""
    (tmp_path / "card").mkdir()
    return tmp_path / "card"


def settings_of(state: Path) -> CentreSettings:
    """Return the settings of a centre under the key that the gateways of these tests believe."""
    settings = CentreSettings(state=state, listen="127.0.0.1:0")
    if not state.exists():
        state.mkdir()
        key = Ed25519PrivateKey.from_private_bytes(b"c" * 32)
        settings.receipt_key.touch(mode=0o600)
        settings.receipt_key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
    return settings


@asynccontextmanager
async def centre_in(state: Path) -> AsyncIterator[Running]:
    """Serve over a state folder."""
    settings = settings_of(state)
    async with running(state, settings=settings) as centre:
        if centre.centre.store.gateway(GATEWAY) is None:
            centre.centre.store.add_gateway(
                GATEWAY, facility="PLANT", name="stack 1", public_key=KEY.public_bytes
            )
        yield centre


@asynccontextmanager
async def started(folder: Path, centre: Running) -> AsyncIterator[Gateway]:
    """Start a gateway over its folder, and let it upload what it has at the end."""
    async with gateway(folder, str(centre.client.base_url)) as agent:
        yield agent
        assert await agent.uplink.flush(20)


def codes(centre: Running, *, is_open: bool) -> set[AlarmCode]:
    """Return the codes of the alarms of a centre."""
    return {alarm.code for alarm in centre.centre.store.alarms(is_open=is_open)}


def held(centre: Running, chain_id: UUID, count: int) -> list[Verdict | None]:
    """Return the verdicts of the first batches of a chain on its main line."""
    found = [centre.centre.store.batch(GATEWAY, chain_id, number) for number in range(count)]
    return [None if one is None else one.verdict for one in found]


def chain_of(agent: Gateway) -> UUID:
    """Return the chain that a gateway writes now."""
    head = agent.buffer.head
    assert head is not None
    return head.header.chain_id


async def test_a_copied_card_is_told_and_both_of_its_lines_arrive(
    tmp_path: Path, card: Path
) -> None:
    async with centre_in(tmp_path / "centre") as centre:
        async with started(card, centre) as agent:
            await agent.commit(3)
        shutil.copytree(card, tmp_path / "copy")
        async with started(card, centre) as first:
            await first.commit(2, text="first")
        assert codes(centre, is_open=True) == set()
        async with started(tmp_path / "copy", centre) as second:
            await second.commit(2, text="second")
            assert await second.uplink.flush(20)
            assert Alarm.FORK in second.uplink.status().alarms
            old = chain_of(second)
            await second.commit(2, text="third")
            new = chain_of(second)
        assert codes(centre, is_open=True) == {AlarmCode.FORK}
        assert held(centre, old, 7) == [Verdict.ACCEPTED] * 7
        assert new != old
        assert held(centre, new, 2) == [Verdict.ACCEPTED] * 2
        # Both told their boot in the same batch, byte for byte: their clock stands still.
        assert centre.centre.store.counts().batches == 4 + 3 + 2 + 2


async def test_a_centre_restored_from_an_old_backup_gets_back_what_it_receipted(
    tmp_path: Path, card: Path
) -> None:
    state = tmp_path / "centre"
    async with centre_in(state) as centre, started(card, centre) as agent:
        await agent.commit(3)
    shutil.copytree(state, tmp_path / "backup")
    async with centre_in(state) as centre, started(card, centre) as agent:
        await agent.commit(5)
    shutil.rmtree(state)
    shutil.copytree(tmp_path / "backup", state)
    async with centre_in(state) as centre:
        async with started(card, centre) as agent:
            await agent.commit()
            chain = chain_of(agent)
        assert codes(centre, is_open=True) == set()
        assert codes(centre, is_open=False) == {AlarmCode.SERVER_BEHIND}
        assert held(centre, chain, 12) == [Verdict.ACCEPTED] * 12


async def test_a_batch_damaged_on_the_card_is_given_up_and_told(tmp_path: Path, card: Path) -> None:
    async with centre_in(tmp_path / "centre") as centre:
        async with started(card, centre) as agent:
            await agent.commit(4)
            with closing(sqlite3.connect(card / "buffer.db")) as other, other:
                other.execute("UPDATE sealed SET body = x'00' WHERE position = 3")
            chain = chain_of(agent)
        assert codes(centre, is_open=True) == set()
        assert codes(centre, is_open=False) == {AlarmCode.HOLE}
        assert held(centre, chain, 6) == [*[Verdict.ACCEPTED] * 2, None, *[Verdict.ACCEPTED] * 3]
        assert centre.centre.store.holes(GATEWAY) == ()
