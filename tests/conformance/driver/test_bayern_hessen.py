"""What is particular to Bayern-Hessen: gas ids, several instruments on a line, and serial ports."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.clock import SystemClock
from edge_agent.config.device import Device, Point
from edge_agent.config.protocols.bayern_hessen import BayernHessenSpeech, Value
from edge_agent.drivers.base import ImpossibleAnswerError, LinkClosedError, LinkLostError
from edge_agent.drivers.bayern_hessen import connect
from edge_agent.wire.vocabulary import NO_VALUE, QualityClass, Reason
from tests.conformance.driver.bayern_hessen import (
    BayernHessen,
    Instrument,
    answer,
    at,
    counting,
    frame,
    good,
    on_a_line,
    running,
)
from tests.conformance.driver.subject import scan_of

pytestmark = pytest.mark.asyncio

SUBJECT = BayernHessen()
CLOCK = SystemClock()
NOT_REPORTED = int(QualityClass.FAILURE | NO_VALUE | Reason.REFUSED)


def of_gases(device: Device, *gas_ids: int) -> Device:
    points = [
        Point(
            channel=number,
            place=Value(number=number, gas_id=gas_id),
            raw_type="float64",
            status=None,
        )
        for number, gas_id in enumerate(gas_ids, 1)
    ]
    return replace(device, points=points, speech=BayernHessenSpeech(address=1, values=None))


async def test_a_gas_id_finds_its_value_wherever_it_is_in_the_answer() -> None:
    async with running(Instrument()) as one:
        device = of_gases(SUBJECT.device(one.port), 3, 1, 7)
        async with connect([device], CLOCK) as connection:
            scan = await scan_of(connection.drivers[0])
    raw, status = SUBJECT.held(SUBJECT.device(one.port))
    assert scan.raw.tolist() == [raw[2], raw[0], 0]
    assert scan.status.tolist() == [status[2], status[0], 0]
    assert scan.transport.tolist() == [0, 0, NOT_REPORTED]


async def test_a_gas_id_that_is_there_twice_gives_no_value() -> None:
    twice = answer(1).replace(" 002 000815", " 001 000815")
    async with running(Instrument(answer=lambda _: frame(twice))) as one:
        device = of_gases(SUBJECT.device(one.port), 1, 3)
        async with connect([device], CLOCK) as connection:
            scan = await scan_of(connection.drivers[0])
    assert scan.transport.tolist() == [NOT_REPORTED, 0]


async def test_noise_before_a_frame_is_passed_over() -> None:
    async with running(Instrument(answer=lambda a: b"\xff\x02DA0\x00" + good(a))) as one:
        device = SUBJECT.device(one.port)
        async with connect([device], CLOCK) as connection:
            scan = await scan_of(connection.drivers[0])
    assert (scan.raw.tolist(), scan.status.tolist()) == SUBJECT.held(device)


async def test_an_answer_that_comes_octet_by_octet_is_one_answer() -> None:
    async with on_a_line(Instrument()) as one:
        device, at_once = at(one.path, SUBJECT.device(0)), one.write

        def slowly(octets: bytes) -> None:
            loop = asyncio.get_running_loop()
            for index, octet in enumerate(octets):
                loop.call_later(index / 1000, at_once, bytes([octet]))

        one.write = slowly
        async with connect([device], CLOCK) as connection:
            scan = await scan_of(connection.drivers[0])
    assert (scan.raw.tolist(), scan.status.tolist()) == SUBJECT.held(device)


async def test_an_answer_that_comes_twice_is_not_the_answer_to_the_next_query() -> None:
    async with running(counting([])) as one:
        numbered = one.answer
        one.answer = lambda address: numbered(address) * 2
        async with connect([SUBJECT.device(one.port)], CLOCK) as connection:
            for _ in range(5):
                scan = await scan_of(connection.drivers[0])
                assert SUBJECT.number(scan) == one.asked_count
                await asyncio.sleep(0.02)  # the second copy has arrived


async def test_a_dead_instrument_does_not_spoil_the_answers_of_its_neighbour() -> None:
    async with on_a_line(Instrument(addresses=(2,))) as one:
        dead = at(one.path, SUBJECT.device(0, timeout_s=0.05))
        alive = at(one.path, SUBJECT.device(0, unit_id=2))
        async with connect([dead, alive], CLOCK) as connection:
            for _ in range(2):
                with pytest.raises(LinkLostError, match="instrument 001: no answer within"):
                    await scan_of(connection.drivers[0])
                scan = await scan_of(connection.drivers[1])
                assert (scan.raw.tolist(), scan.status.tolist()) == SUBJECT.held(alive)


@pytest.mark.parametrize("delay_s", [0.06, 0.09, 0.12])
async def test_a_late_answer_on_a_serial_line_is_never_the_answer_to_a_later_query(
    delay_s: float,
) -> None:
    async with on_a_line(counting([0.0, delay_s, 0.0, 0.0, delay_s, 0.0])) as one:
        device = at(one.path, SUBJECT.device(0, timeout_s=0.05))
        right = 0
        async with connect([device], CLOCK) as connection:
            for _ in range(12):
                try:
                    scan = await scan_of(connection.drivers[0])
                except LinkLostError:
                    continue
                assert SUBJECT.number(scan) == one.asked_count
                right += 1
    assert right >= 6


async def test_a_line_that_babbles_on_is_not_read_from() -> None:
    async with on_a_line(Instrument(answer=lambda _: b"")) as one:
        device = at(one.path, SUBJECT.device(0, timeout_s=0.2))
        async with connect([device], CLOCK) as connection:
            with pytest.raises(LinkLostError):
                await scan_of(connection.drivers[0])
            async with asyncio.TaskGroup() as group:
                babbling = group.create_task(babble(one))
                with pytest.raises(LinkLostError, match="does not fall silent"):
                    await scan_of(connection.drivers[0])
                babbling.cancel()


async def babble(one: Instrument) -> None:
    while True:
        one.write(b"\x55")
        await asyncio.sleep(0.01)


async def test_a_serial_port_that_is_not_there_is_a_closed_link(tmp_path: Path) -> None:
    device = at(str(tmp_path / "ttyUSB0"), SUBJECT.device(0))
    with pytest.raises(LinkClosedError, match="ttyUSB0"):
        async with connect([device], CLOCK):
            pytest.fail("connected to nothing")


async def test_a_status_byte_of_another_line_noise_is_an_impossible_answer() -> None:
    wrong = good(1).replace(b" 40 ", b" 4G ")
    async with running(Instrument(answer=lambda _: wrong)) as one:
        device = SUBJECT.device(one.port)
        async with connect([device], CLOCK) as connection:
            with pytest.raises(ImpossibleAnswerError, match="checksum"):
                await scan_of(connection.drivers[0])
