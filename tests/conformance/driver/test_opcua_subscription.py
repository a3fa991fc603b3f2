"""What the OPC UA driver promises of a subscription: each change, when it was, and what stands."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from edge_agent.config.protocols.opcua import Node, SourceTime
from edge_agent.wire.vocabulary import NO_VALUE, QualityClass, Reason
from tests.conformance.driver.opcua import RAW, URI, as_raw, reading, subscribed
from tests.conformance.driver.opcua_subscribed import (
    CLOCK,
    Served,
    acknowledged,
    heard,
    standing,
)

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.filterwarnings("default::DeprecationWarning"),
]

TRUSTED = SourceTime(ahead_s=2, behind_s=3600)
LOST = int(Reason.SAMPLES_LOST)


async def test_what_stands_at_first_is_told_with_its_arrival_and_as_after_a_loss(
    served: Served,
) -> None:
    before = CLOCK.now()
    async with reading(subscribed(served.port, time=TRUSTED)) as connection:
        (scan,) = (await heard(connection)).scans
        after = CLOCK.now()
    assert scan.channel.tolist() == [1, 2, 3, 4, 5]
    assert scan.raw.tolist() == RAW
    assert scan.transport.tolist() == [LOST] * 5
    assert before.utc_ns <= scan.at_ns <= after.utc_ns


async def test_a_change_is_told_with_its_status_code_and_only_that(served: Served) -> None:
    async with reading(subscribed(served.port)) as connection:
        await heard(connection)
        await served.say(2.5, status=0x40900000)
        (scan,) = (await heard(connection)).scans
    assert scan.channel.tolist() == [1]
    assert scan.raw.tolist() == [as_raw("float32", 2.5)]
    assert scan.status.tolist() == [0x40900000]
    assert scan.transport.tolist() == [QualityClass.OUT_OF_SPECIFICATION | Reason.LATE]


async def test_every_change_is_told_at_its_source_time_where_that_is_trusted(
    served: Served,
) -> None:
    second = datetime.now(UTC).replace(microsecond=0)  # noqa: TID251 - the server's clock
    times = [second + timedelta(milliseconds=each) for each in (-500, -400, -300)]
    async with reading(subscribed(served.port, time=TRUSTED)) as connection:
        await heard(connection)
        for number, at in enumerate(times):
            await served.say(number, at=at)
        scans = (await heard(connection)).scans
    assert [scan.at_ns for scan in scans] == [round(at.timestamp() * 1e9) for at in times]
    assert [scan.raw.tolist() for scan in scans] == [[as_raw("float32", each)] for each in range(3)]
    assert not any(scan.transport.any() for scan in scans)


async def test_without_source_times_only_the_last_of_several_changes_is_of_its_arrival(
    served: Served,
) -> None:
    async with reading(subscribed(served.port)) as connection:
        await heard(connection)
        before = CLOCK.now()
        for number in range(3):
            await served.say(number)
        scans = (await heard(connection)).scans
    old = QualityClass.OUT_OF_SPECIFICATION | Reason.LATE
    assert [scan.transport.tolist() for scan in scans] == [[old], [old], [0]]
    assert [scan.raw.tolist() for scan in scans] == [[as_raw("float32", each)] for each in range(3)]
    assert all(scan.at_ns >= before.utc_ns for scan in scans)


@pytest.mark.parametrize("away", [timedelta(hours=1), timedelta(hours=-2)])
async def test_a_source_time_that_is_too_far_away_is_not_believed(
    served: Served, away: timedelta
) -> None:
    async with reading(subscribed(served.port, time=TRUSTED)) as connection:
        await heard(connection)
        before = CLOCK.now()
        await served.say(3.5, at=datetime.now(UTC) + away)  # noqa: TID251 - the server's clock
        (scan,) = (await heard(connection)).scans
    assert before.utc_ns <= scan.at_ns <= CLOCK.now().utc_ns
    assert scan.transport.tolist() == [Reason.DEVICE_TIME_NOT_BELIEVED]


async def test_what_has_not_changed_stands_as_of_when_the_server_was_last_heard(
    served: Served,
) -> None:
    async with reading(subscribed(served.port)) as connection:
        await heard(connection)
        driver = connection.drivers[0]
        assert await driver.read() is None  # all of them have spoken
        before = CLOCK.now()
        await served.say(1.25)
        await heard(connection)
        await acknowledged(connection)
        scan = await standing(connection)
        assert scan.channel.tolist() == [2, 3, 4, 5]
        assert scan.raw.tolist() == RAW[1:]
        assert not scan.transport.any()
        assert before.utc_ns < scan.at_ns < CLOCK.now().utc_ns
        again = await standing(connection)
        assert again.at_ns > scan.at_ns
        assert again.channel.tolist() == [1, 2, 3, 4, 5]
        assert again.raw.tolist() == [as_raw("float32", 1.25), *RAW[1:]]


async def test_the_first_poll_waits_for_the_values(served: Served) -> None:
    async with reading(subscribed(served.port)) as connection:
        assert await connection.drivers[0].read() is None
        assert (await heard(connection)).scans


async def test_a_variable_that_the_server_does_not_have_costs_only_itself(served: Served) -> None:
    own = subscribed(served.port)
    gone = replace(own.points[1], place=Node(namespace=URI, identifier="s=gone"))
    own = replace(own, points=(own.points[0], gone, *own.points[2:]))
    async with reading(own) as connection:
        (scan,) = (await heard(connection)).scans
        assert scan.channel.tolist() == [1, 3, 4, 5]
        rest = await connection.drivers[0].read()
    assert rest is not None
    assert rest.channel.tolist() == [2]
    assert rest.status.tolist() == [0x80340000]
    assert rest.transport.tolist() == [QualityClass.FAILURE | Reason.REFUSED | NO_VALUE]


async def test_a_server_that_keeps_less_than_it_was_asked_for_is_remarked_on(
    served: Served,
) -> None:
    async with reading(subscribed(served.port, queue_size=20_000)) as connection:
        assert connection.remarks == ("keeps 10000 changes of a variable, not 20000",)
        assert (await heard(connection)).scans
    async with reading(subscribed(served.port)) as connection:
        assert not connection.remarks
