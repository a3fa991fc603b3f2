"""The certificate of a serving centre: made anew in time, and late, and in spite of faults.

Connections are real; the looks of a serving centre, six hours apart, come when a test lets them.
"""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography import x509
from structlog.testing import capture_logs

from central_sync.app import utc_ns
from central_sync.ca.authority import Authority, pin_of
from central_sync.config import CentreSettings, Tls
from central_sync.tls import AGAIN_S, LOOK_S, Security
from tests.central_sync.enrol.secured import DAY, LOOPBACK, OWN, Clock

pytestmark = pytest.mark.asyncio
RENEWED, UNRENEWED = "server_certificate.renewed", "server_certificate.unrenewed"


@dataclass
class Looks:
    """Lets a centre look at its certificate, once each time that it is asked to."""

    waits_s: list[float] = field(default_factory=list)
    _due: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    _asleep: asyncio.Event = field(default_factory=asyncio.Event)

    async def pause(self, seconds: float) -> None:
        """Sleep, for the centre."""
        self.waits_s.append(seconds)
        self._asleep.set()
        await self._due.acquire()

    async def look(self) -> list[str]:
        """Return what the next look logged, once it is over."""
        await self._asleep.wait()
        self._asleep.clear()
        with capture_logs() as logs:
            self._due.release()
            await self._asleep.wait()
        return [log["event"] for log in logs]


@dataclass
class Serving:
    """A socket with the TLS of a centre, which answers each line with the same line."""

    folder: Path
    clock: Clock
    looks: Looks
    port: int = 0

    @property
    def certificate_file(self) -> Path:
        return self.folder / "server.pem"

    async def connected(
        self, context: ssl.SSLContext | None = None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        context = context or ssl.create_default_context(cafile=self.folder / "ca.pem")
        return await asyncio.open_connection(LOOPBACK, self.port, ssl=context)

    async def shown(self) -> x509.Certificate:
        """Return the certificate that a new connection is shown, whatever its dates."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        _, writer = await self.connected(context)
        told = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        await closed(writer)
        return x509.load_der_x509_certificate(told)


async def closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    await writer.wait_closed()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        writer.write(line)
    await closed(writer)


@asynccontextmanager
async def serving(folder: Path, *, offset_ns: int = 0, tls: Tls = OWN) -> AsyncIterator[Serving]:
    """Serve by a centre whose clock is so far off, and keep its certificate fresh."""
    made = Serving(folder, Clock(offset_ns), Looks())
    security = Security(
        settings=tls,
        own=Authority(folder, now_ns=utc_ns() - 900 * DAY),
        now_ns=made.clock,
        pause=made.looks.pause,
    )
    security.own.serve_as(tls.names, now_ns=made.clock())
    context = security.context()
    server = await asyncio.start_server(echo, LOOPBACK, 0, ssl=context)
    made.port = server.sockets[0].getsockname()[1]
    async with server, asyncio.TaskGroup() as tasks:
        kept = tasks.create_task(security.keep_fresh(context))
        yield made
        kept.cancel()


async def test_a_certificate_that_is_not_due_stays(tmp_path: Path) -> None:
    async with serving(tmp_path) as centre:
        before = centre.certificate_file.read_bytes()
        centre.clock.offset_ns = 200 * DAY
        assert await centre.looks.look() == []
        assert centre.certificate_file.read_bytes() == before
        assert centre.looks.waits_s == [LOOK_S, LOOK_S]


async def test_new_connections_get_the_new_certificate_and_old_ones_go_on(tmp_path: Path) -> None:
    async with serving(tmp_path) as centre:
        reader, writer = await centre.connected()
        before = await centre.shown()
        centre.clock.offset_ns = 300 * DAY
        assert await centre.looks.look() == [RENEWED]
        assert await centre.looks.look() == []
        after = await centre.shown()
        assert after.serial_number != before.serial_number
        assert after.not_valid_after_utc > before.not_valid_after_utc
        assert pin_of(after.public_key()) == pin_of(before.public_key())
        writer.write(b"still there\n")
        assert await reader.readline() == b"still there\n"
        await closed(writer)


async def test_a_centre_that_was_out_of_time_past_the_end_lets_gateways_in_at_its_first_look(
    tmp_path: Path,
) -> None:
    """Frozen for two years, or its clock set right: nothing was renewed in time."""
    async with serving(tmp_path, offset_ns=-800 * DAY) as centre:
        with pytest.raises(ssl.SSLCertVerificationError, match="certificate has expired"):
            await centre.connected()
        centre.clock.offset_ns = 0
        assert await centre.looks.look() == [RENEWED]
        _, writer = await centre.connected()
        await closed(writer)


async def test_a_centre_that_was_off_past_the_end_begins_with_a_new_certificate(
    tmp_path: Path,
) -> None:
    settings = CentreSettings(state=tmp_path, tls=OWN)
    Security.of(settings, now_ns=Clock(-800 * DAY))
    before = (tmp_path / "server.pem").read_bytes()
    assert Security.of(settings, now_ns=Clock()) is not None
    assert (tmp_path / "server.pem").read_bytes() != before


async def test_a_certificate_that_cannot_be_made_is_told_once_and_tried_again_soon(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path) as centre:
        before = await centre.shown()
        centre.clock.offset_ns = 300 * DAY
        key = tmp_path / "server.key"
        key.chmod(0o644)
        assert [await centre.looks.look() for _ in range(2)] == [[UNRENEWED], []]
        key.chmod(0o600)
        centre.certificate_file.unlink()
        centre.certificate_file.mkdir()  # another fault
        assert await centre.looks.look() == [UNRENEWED]
        assert (await centre.shown()).serial_number == before.serial_number
        centre.certificate_file.rmdir()
        assert await centre.looks.look() == [RENEWED]
        assert (await centre.shown()).serial_number != before.serial_number
        assert centre.looks.waits_s == [LOOK_S, AGAIN_S, AGAIN_S, AGAIN_S, LOOK_S]


async def test_a_disk_that_refuses_does_not_end_the_service(tmp_path: Path) -> None:
    async with serving(tmp_path) as centre:
        before = await centre.shown()
        centre.clock.offset_ns = 300 * DAY
        beside = tmp_path / f".server.pem.{os.getpid()}"
        beside.mkdir()  # the new file cannot be written
        assert await centre.looks.look() == [UNRENEWED]
        beside.rmdir()
        assert await centre.looks.look() == [RENEWED]
        assert (await centre.shown()).serial_number != before.serial_number


async def test_certificates_of_others_are_left_to_them(tmp_path: Path) -> None:
    authority = Authority(tmp_path, now_ns=utc_ns())
    authority.serve_as([LOOPBACK], now_ns=utc_ns())
    theirs = Tls(certificate=authority.server_certificate_file, key=authority.server_key_file)
    security = Security(settings=theirs, own=authority, now_ns=Clock(900 * DAY))
    await security.keep_fresh(security.context())  # returns: there is nothing to keep
