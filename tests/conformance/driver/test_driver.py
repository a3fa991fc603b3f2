"""What every driver promises, against real servers on loopback.

The wrong is never taken for a value, and the next good answer is always taken.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from edge_agent.clock import NS_PER_S, SystemClock
from edge_agent.config.device import Device
from edge_agent.drivers.base import Driver, LinkClosedError, LinkLostError
from edge_agent.wire.readings import Scan
from tests.conformance.driver.intake import HurriedClock, polling
from tests.conformance.driver.subject import Subject, scan_of

pytestmark = pytest.mark.asyncio


@asynccontextmanager
async def connected(subject: Subject, *devices: Device) -> AsyncIterator[list[Driver]]:
    async with subject.connect(devices, SystemClock()) as connection:
        yield list(connection.drivers)


def assert_holds(subject: Subject, device: Device, scan: Scan) -> None:
    raw, status = subject.held(device)
    assert scan.device == device.name
    assert scan.channel.tolist() == [point.channel for point in device.points]
    assert scan.raw.tolist() == raw
    assert scan.status.tolist() == status
    assert not scan.transport.any()


async def test_a_scan_holds_what_the_device_holds(subject: Subject) -> None:
    async with subject.serve() as port:
        device = subject.device(port)
        async with connected(subject, device) as (driver,):
            for _ in range(3):
                assert_holds(subject, device, await scan_of(driver))


async def test_a_scan_bears_the_time_at_which_it_arrived(subject: Subject) -> None:
    clock = SystemClock()
    async with subject.serve() as port, connected(subject, subject.device(port)) as (driver,):
        before, scan, after = clock.now(), await scan_of(driver), clock.now()
    assert before.mono_ns <= scan.mono_ns <= after.mono_ns
    assert before.utc_ns <= scan.at_ns <= after.utc_ns


async def test_devices_of_one_endpoint_share_its_connection(subject: Subject) -> None:
    async with subject.serve(unit_ids=(1, 2)) as port:
        devices = [subject.device(port, unit_id=unit_id) for unit_id in (1, 2)]
        async with connected(subject, *devices) as drivers:
            for device, driver in zip(devices, drivers, strict=True):
                assert_holds(subject, device, await scan_of(driver))


async def test_a_fault_is_said_to_be_what_it_is_and_the_next_good_answer_is_taken(
    subject: Subject, fault: str
) -> None:
    async with subject.misbehave(fault) as peer:
        impatient = subject.device(peer.port, timeout_s=0.25)
        device = subject.device(peer.port)
        async with connected(subject, impatient, device) as (driver, patient_driver):
            with pytest.raises((LinkLostError, subject.faults[fault])) as caught:
                await scan_of(driver)
            assert type(caught.value) is subject.faults[fault]
            peer.heal()
            if not isinstance(caught.value, LinkClosedError):
                assert_holds(subject, device, await scan_of(patient_driver))
        async with connected(subject, device) as (driver,):
            assert_holds(subject, device, await scan_of(driver))


async def test_a_device_with_a_fault_does_not_hold_up_the_reader_beyond_its_time(
    subject: Subject,
) -> None:
    async with subject.misbehave("silence") as peer:
        device = subject.device(peer.port, timeout_s=0.1)
        async with connected(subject, device) as (driver,), asyncio.timeout(5):
            with pytest.raises(LinkLostError, match=r"within 0\.1 s"):
                await scan_of(driver)


async def test_a_broken_connection_is_noticed_at_once_and_not_at_the_deadline(
    subject: Subject,
) -> None:
    async with subject.misbehave("closed inside the answer") as peer:
        device = subject.device(peer.port, timeout_s=30)
        async with connected(subject, device) as (driver,), asyncio.timeout(5):
            with pytest.raises(LinkClosedError):
                await scan_of(driver)
            with pytest.raises(LinkClosedError):
                await scan_of(driver)


async def test_a_late_answer_is_never_taken_for_the_answer_to_a_later_request(
    subject: Subject,
) -> None:
    delays_s = [0.0, 0.1, 0.0, 0.075, 0.085, 0.0, 0.2, 0.12, 0.0, 0.09] * 3
    async with subject.count(delays_s) as peer:
        whole = subject.device(peer.port, timeout_s=0.08)
        device = replace(whole, points=whole.points[:1])
        right = 0
        async with connected(subject, device) as (driver,):
            for _ in delays_s:
                try:
                    scan = await scan_of(driver)
                except LinkLostError:
                    continue
                assert subject.number(scan) == peer.asked_count
                right += 1
        assert right


async def test_an_endpoint_where_nobody_listens_is_a_closed_link(subject: Subject) -> None:
    async with subject.serve() as port:
        pass
    with pytest.raises(LinkClosedError):
        async with connected(subject, subject.device(port)):
            pytest.fail("connected to nobody")


async def test_a_server_that_restarts_closes_the_link_and_serves_a_new_one(
    subject: Subject,
) -> None:
    async with subject.serve() as port:
        device = subject.device(port)
        stack = connected(subject, device)
        (driver,) = await stack.__aenter__()
        assert_holds(subject, device, await scan_of(driver))
    with pytest.raises(LinkClosedError):
        await scan_of(driver)
    await stack.__aexit__(None, None, None)
    async with subject.serve(port), connected(subject, device) as (driver,):
        assert_holds(subject, device, await scan_of(driver))


async def test_a_read_that_is_cut_short_leaves_a_link_that_nobody_can_use(
    subject: Subject,
) -> None:
    async with subject.misbehave("silence") as peer:
        device = subject.device(peer.port, timeout_s=30)
        async with connected(subject, device) as (driver,):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await scan_of(driver)
            peer.heal()
            with pytest.raises(LinkClosedError):
                await scan_of(driver)


async def test_a_device_that_hangs_does_not_delay_another(subject: Subject) -> None:
    async with subject.misbehave("silence") as peer, subject.serve() as port:
        hung, good = subject.device(peer.port, timeout_s=2), subject.device(port)
        async with polling(subject.connect, hung, good) as intake:
            await intake.until(lambda: len(intake.scans) >= 4)
            # The first read of the hung device has not even failed yet.
            assert intake.events == []
    assert intake.scans_of(hung) == []
    assert intake.gaps()[0] == ("open", "no_answer")


async def test_a_device_that_comes_back_closes_its_gap(subject: Subject) -> None:
    async with subject.misbehave("closed before the answer") as peer:
        device = subject.device(peer.port)
        async with polling(subject.connect, device) as intake:
            await intake.until(lambda: len(intake.events) >= 1)
            peer.heal()
            await intake.until(lambda: len(intake.scans) >= 2)
    assert intake.gaps() == [("open", "link_closed"), ("closed", "link_closed")]
    for scan in intake.scans:
        assert_holds(subject, device, scan)


async def test_a_stop_waits_for_the_answer_in_flight_and_keeps_it(subject: Subject) -> None:
    async with subject.count([0.4]) as peer:
        whole = subject.device(peer.port)
        device = replace(whole, points=whole.points[:1])
        async with polling(subject.connect, device) as intake:
            async with asyncio.timeout(10):
                await peer.asked.wait()
            assert intake.scans == []
    assert [subject.number(scan) for scan in intake.scans] == [1]


async def test_an_hour_of_polls_leaves_none_out_and_keeps_the_grid(subject: Subject) -> None:
    period_s = 6
    async with subject.serve() as port:
        device = replace(subject.device(port, timeout_s=60), period_s=period_s)
        async with polling(subject.connect, device, clock=HurriedClock()) as intake:
            intake.patience_s = 90
            await intake.until(lambda: len(intake.scans) >= 3600 // period_s)
    assert intake.events == []
    since_ns = [scan.mono_ns - intake.scans[0].mono_ns for scan in intake.scans]
    assert [round(ns / NS_PER_S / period_s) for ns in since_ns] == list(range(len(since_ns)))
    for scan in intake.scans[::100]:
        assert_holds(subject, device, scan)
