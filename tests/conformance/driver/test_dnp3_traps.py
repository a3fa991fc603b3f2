"""The traps that were measured of dnp3py's master, each by its number: this driver falls into none.

The outstation is ours, because dnp3py's forgets events when they are read.
"""

import asyncio

import pytest

from edge_agent.config.protocols.dnp3 import Events, WithoutFlags
from edge_agent.drivers.base import (
    Delivery,
    LinkClosedError,
    LinkLostError,
)
from edge_agent.simulator import dnp3_outstation
from edge_agent.wire.vocabulary import NO_VALUE, QualityClass, Reason
from tests.conformance.driver.outstation import (
    bits,
    connected,
    device,
    filled,
    heard,
    now_ms,
    only_scan,
    portion,
    readied,
    serving,
    state,
)
from tests.conformance.driver.subject import scan_of

pytestmark = pytest.mark.asyncio
MODES = (Events.POLLED, Events.UNSOLICITED)
UNTRUSTED = int(Reason.DEVICE_TIME_NOT_BELIEVED)


@pytest.mark.parametrize("mode", MODES)
async def test_trap_1_an_event_is_confirmed_when_it_is_durable_and_not_before(mode: Events) -> None:
    own = filled()
    async with serving(own) as (port, _), connected(device(port, mode)) as connection:
        await readied(connection)
        for number in range(3):
            own.hold(state(number, at_ms=now_ms()), is_event=True)
            if mode is Events.POLLED:
                # The outstation says behind its present values that it has events.
                await scan_of(connection.drivers[0])
            (found,) = await portion(connection)
            assert only_scan(found).raw.tolist() == [bits(number)]
            await asyncio.sleep(0.05)
            assert len(own.events) == 1
            assert await portion(connection, within_s=0.1) == []
            assert not own.events


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("is_timed", [True, False])
async def test_what_was_not_confirmed_comes_again_under_the_same_mark(
    mode: Events, *, is_timed: bool
) -> None:
    own = filled()
    for number in range(5):
        own.hold(state(number, at_ms=now_ms() if is_timed else None), is_event=True)
    async with serving(own) as (port, _):
        async with connected(device(port, mode)) as connection:
            first = await heard(connection, 5)
        assert len(own.events) == 5
        async with connected(device(port, mode)) as connection:
            again = await heard(connection, 5)
            own.hold(state(9, at_ms=now_ms() if is_timed else None), is_event=True)
            await scan_of(connection.drivers[0])
            (new,) = await heard(connection, 1)
    assert [one.mark for one in again] == [one.mark for one in first]
    assert len({one.mark for one in (*first, new)}) == 6
    # Without a time only the first of a connection can be known from before.
    assert [one.is_new for one in again] == [False] * 5
    assert new.is_new is not is_timed


@pytest.mark.parametrize("is_timed", [True, False])
async def test_trap_2_a_late_confirmation_brings_the_same_mark_and_not_another_event(
    monkeypatch: pytest.MonkeyPatch, *, is_timed: bool
) -> None:
    monkeypatch.setattr(dnp3_outstation, "CONFIRM_NS", 10**8)
    monkeypatch.setattr("edge_agent.drivers.dnp3_station.LATE_NS", 10**8)
    own = filled()
    async with serving(own) as (port, _), connected(device(port, Events.UNSOLICITED)) as one:
        await readied(one)
        own.hold(state(7, at_ms=now_ms() if is_timed else None), is_event=True)
        (first,) = await portion(one)
        await asyncio.sleep(0.3)  # the commit takes its time
        again: list[Delivery] = []
        async with asyncio.timeout(5):
            while own.events:
                again += await portion(one, within_s=0.1)
    assert again
    assert {delivery.mark for delivery in again} == {first.mark}
    assert not any(delivery.is_new for delivery in again)


async def test_trap_3_fragments_of_a_question_that_was_given_up_are_never_taken() -> None:
    own = filled()
    for index in range(2, 1500):
        own.hold(state(-1.0, index=index))
    async with serving(own) as (port, server), connected(device(port)) as connection:
        (driver,) = connection.drivers
        for number in range(6):
            server.is_silent = True
            with pytest.raises(LinkLostError, match=r"within 0\.4 s"):
                await driver.read()
            server.is_silent = False
            own.hold(state(number))
            scan = await scan_of(driver)
            assert scan.raw.tolist()[:2] == [bits(number), bits(1.5)]
            assert not scan.transport.any()


async def test_trap_4_what_has_changed_is_told_from_what_is_also_without_a_time() -> None:
    own = filled()
    async with serving(own) as (port, _), connected(device(port)) as connection:
        await readied(connection)
        own.hold(state(3.0), is_event=True)
        own.hold(state(4.0), is_event=True)
        scan = await scan_of(connection.drivers[0])
        assert (scan.channel.tolist(), scan.raw.tolist()[0]) == ([1, 2, 3, 4], bits(4.0))
        events = [only_scan(one) for one in await heard(connection, 2)]
    assert [(one.channel.tolist(), one.raw.tolist()) for one in events] == [
        ([1], [bits(3.0)]),
        ([1], [bits(4.0)]),
    ]
    assert [one.transport.tolist() for one in events] == [[0], [0]]


@pytest.mark.parametrize("taken", WithoutFlags)
async def test_trap_5_a_value_without_flags_says_so(
    monkeypatch: pytest.MonkeyPatch, taken: WithoutFlags
) -> None:
    own = filled()
    # Group 1 variation 1 is packed: bits, and no flags.
    packed = b"\x01\x01\x00\x00\x00\x01"
    monkeypatch.setattr(dnp3_outstation, "present_objects", lambda _: [packed])
    async with (
        serving(own) as (port, _),
        connected(device(port, without_flags=taken)) as connection,
    ):
        scan = await scan_of(connection.drivers[0])
    doubt = 0 if taken is WithoutFlags.GOOD else int(QualityClass.OUT_OF_SPECIFICATION)
    missing = int(QualityClass.FAILURE | NO_VALUE | Reason.REFUSED)
    assert scan.transport.tolist() == [missing, missing, Reason.NO_FLAGS | doubt, missing]
    assert scan.raw.tolist() == [0, 0, 1, 0]
    assert scan.status.tolist() == [0, 0, 0, 0]


async def test_trap_6_events_that_cannot_be_read_are_told_as_lost_and_block_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own, whole = filled(), dnp3_outstation.event_objects
    own.hold(state(3.0, at_ms=now_ms()), is_event=True)
    unknown = b"\x63\x01\x17\x01\x00\x00"  # group 99
    monkeypatch.setattr(dnp3_outstation, "event_objects", lambda some: whole(some) + unknown)
    async with serving(own) as (port, _), connected(device(port)) as connection:
        lost, event = await heard(connection, 2)
        monkeypatch.undo()
        assert await portion(connection, within_s=0.1) == []
        own.hold(state(4.0, at_ms=now_ms()), is_event=True)
        await scan_of(connection.drivers[0])
        assert len(await heard(connection, 1)) == 1
    (loss,) = lost.losses
    assert loss.channels == (1, 2, 3, 4)
    assert "group 99" in loss.detail
    assert only_scan(event).transport.tolist() == [Reason.SAMPLES_LOST]


async def test_trap_7_reports_are_taken_while_nobody_listens() -> None:
    own = filled()
    async with serving(own) as (port, server), connected(device(port, Events.UNSOLICITED)) as one:
        await readied(one)
        own.hold(state(1.0, at_ms=now_ms()), is_event=True)
        await asyncio.sleep(0.1)
        server.drop()
        await asyncio.sleep(0.05)
        # What had come is still given; then it is told that the link is closed.
        (found,) = await portion(one)
        assert only_scan(found).raw.tolist() == [bits(1.0)]
        with pytest.raises(LinkClosedError):
            await portion(one)
