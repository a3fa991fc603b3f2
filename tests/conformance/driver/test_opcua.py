"""What the OPC UA driver promises, against asyncua's server: values, codes, security, faults."""

import asyncio
import signal
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from asyncua import ua

from edge_agent.clock import SystemClock
from edge_agent.config.protocols.opcua import SourceTime
from edge_agent.drivers.base import LinkClosedError, LinkLostError
from edge_agent.wire.vocabulary import NO_VALUE, QualityClass, Reason
from tests.conformance.driver.opcua import (
    OPEN,
    RAW,
    as_raw,
    certificate,
    device,
    process,
    protected,
    reading,
    serving,
)
from tests.conformance.driver.subject import scan_of
from tests.system.installation import free_port

pytestmark = [pytest.mark.asyncio, pytest.mark.filterwarnings("default::DeprecationWarning")]


async def test_a_scan_holds_what_the_server_holds_by_the_uri_of_its_namespace() -> None:
    clock = SystemClock()
    async with serving() as (port, _), reading(device(port)) as connection:
        before, scan = clock.now(), await scan_of(connection.drivers[0])
        after = clock.now()
    assert scan.raw.tolist() == RAW
    assert scan.status.tolist() == [0] * 5
    assert scan.transport.tolist() == [0] * 5
    assert before.utc_ns <= scan.at_ns <= after.utc_ns


async def test_a_scan_is_of_the_newest_source_time_while_that_moves_where_it_is_trusted() -> None:
    second = datetime.now(UTC).replace(microsecond=0)  # noqa: TID251 - the server's clock
    speech = replace(OPEN, time=SourceTime(ahead_s=2, behind_s=3600))
    async with serving() as (port, variables), reading(device(port, speech=speech)) as connection:
        scans, asked_ns = [], []
        for ago_s in (0, 1800, 0, -3600):
            said = ua.DataValue(
                Value=ua.Variant(ago_s, ua.VariantType.Float),
                SourceTimestamp=second - timedelta(seconds=ago_s),  # type: ignore[arg-type]  # a datetime, in spite of its types
            )
            await variables["NOx"].write_value(said)
            asked_ns.append(SystemClock().now().utc_ns)
            scans.append(await scan_of(connection.drivers[0]))
    # The other variables got their values, and their times, when the server was made: after that.
    assert scans[0].at_ns <= asked_ns[0]
    assert all(scan.at_ns >= ns for scan, ns in zip(scans[1:], asked_ns[1:], strict=True))
    assert not any(scan.transport.any() for scan in scans[:3])
    assert scans[3].transport.tolist() == [Reason.DEVICE_TIME_NOT_BELIEVED] * 5


@pytest.mark.parametrize(
    ("code", "quality"),
    [
        (0x808C0000, QualityClass.FAILURE | NO_VALUE | Reason.DEVICE_FAULT),
        (0x40900000, QualityClass.OUT_OF_SPECIFICATION | Reason.LATE),
        (0x00960000, QualityClass.OUT_OF_SPECIFICATION | Reason.SUBSTITUTED),
        (0x40000000, QualityClass.OUT_OF_SPECIFICATION),
        (0x80000000, QualityClass.FAILURE | NO_VALUE),
    ],
)
async def test_a_value_comes_with_its_status_code(code: int, quality: int) -> None:
    async with serving() as (port, variables), reading(device(port)) as connection:
        value = ua.Variant(1.5, ua.VariantType.Float)
        said = ua.DataValue(Value=value, StatusCode=ua.StatusCode(ua.UInt32(code)))
        await variables["NOx"].write_value(said)
        scan = await scan_of(connection.drivers[0])
    assert scan.status.tolist() == [code, 0, 0, 0, 0]
    assert scan.transport.tolist() == [int(quality), 0, 0, 0, 0]
    # asyncua's server sends no value with a bad code; others do (test_opcua_values).
    value_raw = 0 if code >= 0x80000000 else as_raw("float32", 1.5)
    assert scan.raw.tolist() == [value_raw, *RAW[1:]]


async def test_a_variable_that_is_gone_or_of_another_type_costs_only_itself() -> None:
    async with serving() as (port, variables), reading(device(port)) as connection:
        await variables["flow"].delete()
        scan = await scan_of(connection.drivers[0])
        assert scan.status.tolist() == [0, 0x80340000, 0, 0, 0]
        refused = int(QualityClass.FAILURE | Reason.REFUSED | NO_VALUE)
        assert scan.transport.tolist() == [0, refused, 0, 0, 0]
    async with serving() as (port, _):
        points = device(port).points
        other = replace(points[0], raw_type="float64")
        async with reading(replace(device(port), points=(other, *points[1:]))) as connection:
            scan = await scan_of(connection.drivers[0])
    impossible = int(QualityClass.FAILURE | NO_VALUE | Reason.COMMUNICATION)
    assert scan.transport.tolist() == [impossible, 0, 0, 0, 0]
    assert scan.raw.tolist() == [0, *RAW[1:]]


async def test_a_namespace_that_the_server_does_not_have_is_told_and_not_asked_for() -> None:
    async with serving() as (port, _), reading(device(port, uri="urn:gone")) as connection:
        scan = await scan_of(connection.drivers[0])
    assert scan.status.tolist() == [0x80340000] * 5


async def test_a_server_that_is_not_there_is_a_closed_link() -> None:
    with pytest.raises(LinkClosedError):
        async with reading(device(free_port(), timeout_s=1)):
            pytest.fail("connected to nobody")


async def test_a_server_that_is_killed_closes_the_link_and_a_new_one_is_read() -> None:
    port = free_port()
    with process(port) as server:
        stack = reading(device(port, timeout_s=1))
        connection = await stack.__aenter__()
        assert (await scan_of(connection.drivers[0])).raw.tolist() == RAW
        server.kill()
        server.wait()
        for _ in range(2):
            with pytest.raises(LinkLostError):
                await scan_of(connection.drivers[0])
        await stack.__aexit__(None, None, None)
    with process(port):
        async with reading(device(port)) as connection:
            assert (await scan_of(connection.drivers[0])).raw.tolist() == RAW


async def test_a_server_that_stands_still_costs_the_deadline_and_then_goes_on() -> None:
    port = free_port()
    with process(port) as server:
        async with reading(device(port, timeout_s=0.5)) as connection:
            server.send_signal(signal.SIGSTOP)
            for _ in range(2):
                with pytest.raises(LinkLostError, match=r"within 0\.5 s"):
                    await scan_of(connection.drivers[0])
            server.send_signal(signal.SIGCONT)
            assert (await scan_of(connection.drivers[0])).raw.tolist() == RAW


async def test_a_protected_session_is_read_when_the_server_is_the_trusted_one(
    tmp_path: Path,
) -> None:
    async with protected(tmp_path) as (port, certificates):
        speech = replace(OPEN, certificates=certificates)
        async with reading(device(port, speech=speech)) as connection:
            assert (await scan_of(connection.drivers[0])).raw.tolist() == RAW


async def test_a_server_with_another_certificate_is_refused(tmp_path: Path) -> None:
    async with protected(tmp_path) as (port, certificates):
        another, _ = await certificate(tmp_path, "another")
        speech = replace(OPEN, certificates=replace(certificates, server_file=another))
        with pytest.raises(LinkClosedError):
            async with reading(device(port, speech=speech, timeout_s=2)):
                pytest.fail("talked to a server that is not the trusted one")


async def test_a_read_that_is_cut_short_does_not_mix_up_the_next() -> None:
    async with serving() as (port, _), reading(device(port)) as connection:
        for delay_s in (0.0, 0.0005, 0.001, 0.002):
            try:
                async with asyncio.timeout(delay_s):
                    await connection.drivers[0].read()
            except TimeoutError:
                pass
            assert (await scan_of(connection.drivers[0])).raw.tolist() == RAW
