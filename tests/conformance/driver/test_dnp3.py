"""What the DNP3 driver promises of events and reports: times, order, losses, who answers when."""

import asyncio
from dataclasses import replace

import pytest

from edge_agent.config.protocols.dnp3 import Events
from edge_agent.drivers.base import (
    Delivery,
    DeviceBusyError,
)
from edge_agent.simulator import dnp3_outstation
from edge_agent.wire.vocabulary import QualityClass, Reason
from tests.conformance.driver.outstation import (
    AI,
    BI,
    CT,
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
async def test_events_bear_their_own_times_values_and_flags(mode: Events) -> None:
    own, at_ms = filled(), now_ms() - 1500
    own.hold(state(2.5, at_ms=at_ms), is_event=True)
    own.hold(state(1, kind=BI, flags=0x11, at_ms=at_ms + 7), is_event=True)
    own.hold(state(2**32 - 1, kind=CT, at_ms=at_ms + 9), is_event=True)
    async with serving(own) as (port, _), connected(device(port, mode)) as connection:
        scans = [only_scan(one) for one in await heard(connection, 3)]
    assert [scan.channel.tolist() for scan in scans] == [[1], [3], [4]]
    assert [scan.raw.tolist() for scan in scans] == [[bits(2.5)], [1], [2**32 - 1]]
    assert [scan.status.tolist() for scan in scans] == [[0x01], [0x91], [0x01]]
    assert [scan.at_ns // 10**6 for scan in scans] == [at_ms, at_ms + 7, at_ms + 9]
    forced = int(QualityClass.OUT_OF_SPECIFICATION | Reason.SUBSTITUTED)
    assert [scan.transport.tolist() for scan in scans] == [[0], [forced], [0]]


async def test_reading_present_values_confirms_as_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dnp3_outstation, "CONFIRM_NS", 60 * 10**9)
    own = filled()
    async with serving(own) as (port, _), connected(device(port, Events.UNSOLICITED)) as one:
        await readied(one)
        own.hold(state(7, at_ms=now_ms()), is_event=True)
        assert len(await portion(one)) == 1
        assert (await scan_of(one.drivers[0])).raw.tolist()[0] == bits(7)
        assert not own.events


async def test_a_read_that_a_report_comes_before_is_answered_behind_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dnp3_outstation, "CONFIRM_NS", 60 * 10**9)
    own = filled()
    async with serving(own) as (port, server), connected(device(port, Events.UNSOLICITED)) as one:
        (driver,) = one.drivers
        await readied(one)
        own.hold(state(7.0, at_ms=now_ms()), is_event=True)
        server.look()
        # The outstation answers nothing until its report is confirmed.
        assert await driver.read() is None
        with pytest.raises(DeviceBusyError):
            await driver.read()
        (event,) = await portion(one)
        assert only_scan(event).channel.tolist() == [1]
        (present,) = await portion(one)
        assert only_scan(present).raw.tolist()[0] == bits(7.0)
        assert (present.mark, only_scan(present).channel.tolist()) == (b"", [1, 2, 3, 4])
        assert (await scan_of(driver)).raw.tolist()[0] == bits(7.0)


@pytest.mark.parametrize("mode", MODES)
async def test_a_listener_that_is_cancelled_loses_nothing(mode: Events) -> None:
    own = filled()
    async with serving(own) as (port, _), connected(device(port, mode)) as connection:
        for number in range(20):
            own.hold(state(number, at_ms=now_ms()), is_event=True)
        found: list[Delivery] = []
        for delay_s in (0.0, 0.0005, 0.001, 0.002, 0.004, 0.008) * 4:
            try:
                async with asyncio.timeout(delay_s):
                    found += await portion(connection)
            except TimeoutError:
                continue
        if len(found) < 20:
            found += await heard(connection, 20 - len(found))
        assert await portion(connection, within_s=0.1) == []
    assert [only_scan(one).raw.tolist()[0] for one in found] == [bits(n) for n in range(20)]
    assert not own.events


async def test_more_events_than_fit_a_fragment_are_confirmed_one_by_one() -> None:
    own = filled()
    for number in range(300):
        own.hold(state(number, at_ms=now_ms()), is_event=True)
    async with serving(own) as (port, _), connected(device(port)) as connection:
        found, sizes = [], []
        async with asyncio.timeout(10):
            while own.events:
                found += (some := await portion(connection, within_s=0.1))
                sizes.append(len(some))
                if len(sizes) % 2:
                    # Present values are read on the grid, whatever else goes on.
                    await scan_of(connection.drivers[0])
    assert max(sizes) == own.most_events
    values = [only_scan(one).raw.tolist()[0] for one in found]
    assert list(dict.fromkeys(values)) == [bits(n) for n in range(300)]
    # What an interrupted answer brought twice bears one mark.
    assert len({one.mark for one in found}) == 300


async def test_an_overflow_is_told_once_and_marks_the_next_row() -> None:
    own = filled()
    own.room = 5
    async with serving(own) as (port, _), connected(device(port)) as connection:
        await readied(connection)
        await scan_of(connection.drivers[0])
        for number in range(8):
            own.hold(state(number, at_ms=now_ms()), is_event=True)
        scan = await scan_of(connection.drivers[0])
        lost, *events = await heard(connection, 6)
        assert await portion(connection, within_s=0.1) == []
        await scan_of(connection.drivers[0])
        assert await portion(connection, within_s=0.1) == []
    (loss,) = lost.losses
    assert "overflowed" in loss.detail
    assert loss.from_ns < loss.to_ns
    assert scan.transport.tolist() == [Reason.SAMPLES_LOST] * 4
    assert [only_scan(one).raw.tolist()[0] for one in events] == [bits(n) for n in range(3, 8)]


@pytest.mark.parametrize(
    ("late_ms", "needs_time"), [(3_000, False), (-90_000_000, False), (0, True)]
)
async def test_a_time_that_is_not_believed_is_that_of_the_arrival(
    late_ms: int, *, needs_time: bool
) -> None:
    own = filled()
    own.needs_time = needs_time
    before_ms = now_ms()
    own.hold(state(1.0, at_ms=before_ms + late_ms), is_event=True)
    async with serving(own) as (port, _), connected(device(port)) as connection:
        (found,) = await heard(connection, 1)
    scan = only_scan(found)
    assert before_ms <= scan.at_ns // 10**6 <= now_ms()
    assert scan.transport.tolist() == [UNTRUSTED]


async def test_an_untimed_event_from_before_the_connection_is_told_to_be_late() -> None:
    own = filled()
    own.hold(state(1.0), is_event=True)
    async with serving(own) as (port, _), connected(device(port)) as connection:
        (found,) = await heard(connection, 1)
    assert only_scan(found).transport.tolist() == [QualityClass.OUT_OF_SPECIFICATION | Reason.LATE]


async def test_events_of_points_that_no_channel_is_of_are_confirmed_and_forgotten() -> None:
    own = filled()
    own.hold(state(1.0, index=7, at_ms=now_ms()), is_event=True)
    async with serving(own) as (port, _), connected(device(port)) as connection:
        assert await portion(connection, within_s=0.15) == []
        assert not own.events


async def test_an_outstation_that_restarts_may_report_again() -> None:
    own = filled()
    async with serving(own) as (port, server), connected(device(port, Events.UNSOLICITED)) as one:
        await readied(one)
        own.reports = False  # it has forgotten
        master = server._master
        assert master is not None
        master.say(10, b"\xf3\x82\x80\x00")  # a report without objects: I have started
        await readied(one)
        assert own.reports is True
        own.hold(state(1.0, kind=AI, at_ms=now_ms()), is_event=True)
        assert len(await portion(one)) == 1


async def test_a_visitor_reads_and_leaves_events_and_reports_to_whom_they_belong() -> None:
    own = filled()
    own.reports = True
    own.needs_time = True
    visited = device(1, Events.UNSOLICITED, may_set_time=True)
    async with serving(own) as (port, _):
        endpoint = replace(visited.endpoint, port=port)
        visitor = replace(visited, endpoint=endpoint, speech=visited.speech.visiting())
        async with connected(visitor) as connection:
            assert connection.listen is None
            assert (await scan_of(connection.drivers[0])).raw.tolist()[0] == bits(0.5)
            own.hold(state(7.0, at_ms=now_ms()), is_event=True)
            await asyncio.sleep(0.05)
            # It waits for a confirmation that a visitor does not give.
            assert await connection.drivers[0].read() is None
    assert len(own.events) == 1
    assert (own.reports, own.time_set) == (True, [])
