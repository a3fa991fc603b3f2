"""A change of the signing key while the agent runs, cut off at every point, and what is left."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from edge_agent.buffer.records import NextKey as Ending
from edge_agent.clock import SystemClock
from edge_agent.committer import Committer
from edge_agent.errors import ExitCode, OperatorError
from edge_agent.identity import NextKey, create_signing_key, load_signing_key
from edge_agent.lifetime import Order
from edge_agent.pipeline import Intake
from edge_agent.rekeying import Rekeying, settled_key
from tests.edge_agent.at_work import applying, plan, without_a_device
from tests.edge_agent.buffer.gateway import Gateway, receipts
from tests.edge_agent.line import SteppedClock


class StoppedError(Exception):
    """The end of a test's patience."""


class Looking(SteppedClock):
    """A clock that stops whoever sleeps on it."""

    async def sleep_until(self, mono_ns: int) -> None:
        del mono_ns
        raise StoppedError


@pytest.fixture
def files(tmp_path: Path) -> NextKey:
    """Return the files of a gateway whose key is the test gateway's."""
    path = tmp_path / "gateway.key"
    create_signing_key(path)
    return NextKey(key_file=path)


def test_a_key_that_waits_is_made_once(files: NextKey) -> None:
    first = files.prepare(credentials=None)
    assert files.prepare(credentials=None).key_id == first.key_id
    assert files.waiting_file.stat().st_mode & 0o777 == 0o600


def test_a_key_that_the_service_manager_gives_is_not_changed_here(files: NextKey) -> None:
    with pytest.raises(OperatorError, match="the service manager gives this key"):
        files.prepare(credentials=files.key_file.parent)


def test_a_second_change_waits_for_the_first_to_arrive(files: NextKey) -> None:
    files.prepare(credentials=None)
    files.promote()
    with pytest.raises(OperatorError) as refused:
        files.prepare(credentials=None)
    assert refused.value.exit_code is ExitCode.TRY_AGAIN


def test_a_key_takes_the_place_of_another_and_the_old_one_is_wiped_later(files: NextKey) -> None:
    before = load_signing_key(files.key_file)
    waiting = files.prepare(credentials=None)
    files.promote()
    assert load_signing_key(files.key_file).key_id == waiting.key_id
    assert files.waiting is None
    assert files.old is not None
    assert files.old.key_id == before.key_id
    assert files.forget_old()
    assert not files.forget_old()
    assert load_signing_key(files.key_file).key_id == waiting.key_id


def test_cut_off_between_its_two_steps_a_promotion_is_ended_by_the_next(files: NextKey) -> None:
    waiting = files.prepare(credentials=None)
    os.link(files.key_file, files.old_file)
    before = load_signing_key(files.key_file)
    files.promote()
    assert load_signing_key(files.key_file).key_id == waiting.key_id
    assert files.old is not None
    assert files.old.key_id == before.key_id


def test_wiping_a_second_name_leaves_the_key_whole(files: NextKey) -> None:
    os.link(files.key_file, files.old_file)
    files.forget_old()
    load_signing_key(files.key_file)


@pytest.mark.asyncio
async def test_a_reload_lets_the_key_that_waits_follow(tmp_path: Path, files: NextKey) -> None:
    folder = without_a_device(tmp_path)
    waiting = files.prepare(credentials=None)
    async with applying(folder, lambda: plan(folder)) as (one, _):
        with capture_logs() as logs:
            await one.carry_out(Order.RELOAD)
        buffer = one._line.committer.buffer
        assert await buffer.append(Gateway(tmp_path).portion(1))
        head = buffer.head
    assert head is not None
    assert (head.header.key_id, head.header.batch_no) == (waiting.key_id, 0)
    assert [log["event"] for log in logs if log["event"].startswith("key")] == ["key.rotated"]
    assert load_signing_key(files.key_file).key_id == waiting.key_id
    # What is applied later is sealed under the new key, too.
    assert one._active.origin.key.key_id == waiting.key_id


@pytest.mark.asyncio
async def test_a_key_that_others_can_read_does_not_follow(tmp_path: Path, files: NextKey) -> None:
    folder = without_a_device(tmp_path)
    files.prepare(credentials=None)
    files.waiting_file.chmod(0o644)
    async with applying(folder, lambda: plan(folder)) as (one, _):
        with capture_logs() as logs:
            await one.carry_out(Order.RELOAD)
    assert [log["event"] for log in logs if log["event"].startswith("key")] == ["key.refused"]


@pytest.mark.asyncio
async def test_a_start_ends_what_the_last_stop_cut_off(tmp_path: Path, files: NextKey) -> None:
    gateway = Gateway(tmp_path)
    buffer_file = gateway.settings.path
    waiting = files.prepare(credentials=None)
    before = load_signing_key(files.key_file)
    # Made, and not signed in: the present key goes on, and the change is still to come.
    assert settled_key(files, buffer_file, None).key_id == before.key_id
    async with gateway.opened() as buffer:
        await buffer.append(gateway.portion(1))
        assert settled_key(files, buffer_file, None).key_id == before.key_id
        await buffer.append(Ending(key=waiting))
    # Signed in, and not in its place.
    assert settled_key(files, buffer_file, None).key_id == waiting.key_id
    assert load_signing_key(files.key_file).key_id == waiting.key_id
    assert settled_key(files, buffer_file, None).key_id == waiting.key_id


@pytest.mark.asyncio
async def test_a_start_knows_a_key_that_has_signed_already(tmp_path: Path, files: NextKey) -> None:
    gateway = Gateway(tmp_path)
    waiting = files.prepare(credentials=None)
    async with gateway.opened() as buffer:
        await buffer.append(Ending(key=waiting))
        await buffer.append(gateway.portion(1))
    assert settled_key(files, gateway.settings.path, None).key_id == waiting.key_id


@pytest.mark.asyncio
async def test_the_old_key_is_wiped_once_the_centre_has_all_that_it_signed(
    tmp_path: Path,
) -> None:
    gateway = Gateway(tmp_path)
    files = NextKey(key_file=tmp_path / "gateway.key")
    create_signing_key(files.key_file)
    gateway.origin = replace(gateway.origin, key=load_signing_key(files.key_file))
    async with gateway.opened() as buffer:
        committer = Committer(Intake({}, clock=SystemClock(), commit_interval_s=1), buffer)
        rekeying = Rekeying(files, committer, clock=Looking())
        files.prepare(credentials=None)
        assert await rekeying.carried_out() is not None
        assert await rekeying.carried_out() is None

        async def looks() -> None:
            with pytest.raises(StoppedError):
                await rekeying.watch()

        await looks()
        assert files.old_file.exists()
        waiting = await buffer.unreceipted(10)
        await buffer.settle(receipts(waiting))
        await looks()
        assert not files.old_file.exists()
