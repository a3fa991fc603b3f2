"""The certificate of a running agent: when it is renewed, over a real centre, and what if not."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from central_sync.ca.authority import Authority
from edge_agent.clock import Instant, SystemClock, Trust
from edge_agent.config.model import AgentFile, GatewaySettings
from edge_agent.config.model import CentreSettings as CentrePlace
from edge_agent.enrol.renewal import Renewal
from edge_agent.enrol.requests import NONCES
from edge_agent.identity import NextKey, create_signing_key, load_signing_key
from edge_agent.identity.tls import TlsIdentity
from edge_agent.uplink.exchange import Exchange, NoAnswerError, open_exchange
from edge_agent.wire.frame import MEDIA_TYPE
from tests.central_sync.enrol.secured import DAY, Applicant, Secured, secured
from tests.central_sync.ingest.signed_chain import SignedChain, framed

pytestmark = pytest.mark.asyncio
# Of the agent, and of the centre in the same process.
TOLD = {"certificate.renewed", "certificate.unrenewed", "enrolment.refused"}


class LookedError(Exception):
    """The renewal has looked once and wants to sleep."""


class Clock(SystemClock):
    """The machine's clock, moved; whoever sleeps on it is woken by an error."""

    def __init__(self) -> None:
        self.offset_ns = 0
        self.state = 1

    def now(self) -> Instant:
        now = super().now()
        return Instant(utc_ns=now.utc_ns + self.offset_ns, mono_ns=now.mono_ns)

    def trust(self) -> Trust:
        return Trust(state=self.state, error_ms=None)

    async def sleep_until(self, mono_ns: int) -> None:
        del mono_ns
        raise LookedError


@dataclass
class Place:
    """An enrolled gateway and its centre."""

    centre: Secured
    chain: SignedChain
    settings: AgentFile
    clock: Clock
    exchange: Exchange

    @property
    def file(self) -> Path:
        assert self.settings.centre.certificate_file is not None
        return self.settings.centre.certificate_file

    def let_it_be_of(self, days: int) -> None:
        """Let the certificate be one that was made so many days ago."""
        centre = self.centre
        authority = Authority(centre.centre.settings.state, now_ns=centre.clock())
        tls = TlsIdentity.new()
        made = authority.issue(
            tls.key.public_key(), self.chain.gateway_id, now_ns=centre.clock() - days * DAY
        )
        replace(tls, chain=(made,)).save(self.file)

    def revoke_all_but(self, serial: int) -> None:
        """Let no other certificate count."""
        store = self.centre.centre.store
        with store._db.write() as connection:  # type: ignore[attr-defined] # the adapter's own
            connection.execute(
                "update certificate set revoked_ns = 1 where serial <> ?",
                (serial.to_bytes(20, "big"),),
            )

    def renewal(self) -> Renewal:
        """Return what keeps the certificate of the agent."""
        return Renewal(
            self.settings,
            self.exchange.show_new_certificate,
            clock=self.clock,
            fraction=lambda: 0.5,
        )

    async def looks(self) -> list[str]:
        """Look once whether the certificate is due; return what was logged."""
        renewal = self.renewal()
        with capture_logs() as logs, pytest.raises(LookedError):
            await renewal.keep()
        return [log["event"] for log in logs if log["event"] in TOLD]

    async def uploads(self) -> int:
        """Upload a batch over the connection of the agent; return the status."""
        path = f"/v1/gateways/{self.chain.gateway_id}/batches"
        body = framed(self.chain.batch(moves=False))
        reply = await self.exchange.send("POST", path, body, media_type=MEDIA_TYPE, is_plain=True)
        return reply.status


@asynccontextmanager
async def enrolled(folder: Path) -> AsyncIterator[Place]:
    async with secured(folder) as centre:
        key = create_signing_key(folder / "gateway.key")
        applicant = Applicant(centre, key, TlsIdentity.new())
        gateway_id = await applicant.enrols(centre.token())
        applicant.tls.save(folder / "tls.pem")
        place = CentrePlace(
            url=centre.url,
            receipt_key_file=folder / "receipt.pem",
            ca_file=centre.ca_file,
            certificate_file=folder / "tls.pem",
        )
        gateway = GatewaySettings(id=gateway_id, facility="X", key_file=folder / "gateway.key")
        async with open_exchange(place) as exchange:
            yield Place(
                centre=centre,
                chain=SignedChain(gateway_id=gateway_id, key=key),
                settings=AgentFile(gateway=gateway, centre=place),
                clock=Clock(),
                exchange=exchange,
            )


async def test_a_certificate_is_renewed_after_two_thirds_of_its_life(tmp_path: Path) -> None:
    async with enrolled(tmp_path) as place:
        assert await place.looks() == []
        place.let_it_be_of(39)
        assert await place.looks() == []
        place.let_it_be_of(46)
        first = place.file.read_bytes()
        assert await place.looks() == ["certificate.renewed"]
        assert place.file.read_bytes() != first
        assert place.file.stat().st_mode & 0o777 == 0o600
        assert await place.looks() == []


async def test_uploading_goes_on_under_the_new_certificate_without_a_restart(
    tmp_path: Path,
) -> None:
    async with enrolled(tmp_path) as place:
        assert await place.uploads() == 200
        place.let_it_be_of(46)
        assert await place.looks() == ["certificate.renewed"]
        serial = TlsIdentity.load(place.file).chain[0].serial_number
        # The first request still goes over the connection of the old one.
        assert [await place.uploads(), await place.uploads()] == [200, 200]
        place.revoke_all_but(serial)
        assert await place.uploads() == 200


async def test_ninety_days_without_the_centre_do_not_shut_a_gateway_out(tmp_path: Path) -> None:
    async with enrolled(tmp_path) as place:
        place.let_it_be_of(90)
        async with open_exchange(place.settings.centre) as place.exchange:
            with pytest.raises(NoAnswerError):
                await place.uploads()
            assert await place.looks() == ["certificate.renewed"]
            assert await place.uploads() == 200


async def test_a_certificate_that_is_lost_is_made_anew(tmp_path: Path) -> None:
    async with enrolled(tmp_path) as place:
        place.file.unlink()
        assert await place.looks() == ["certificate.renewed"]
        assert await place.uploads() == 200


async def test_a_clock_that_was_never_set_asks_the_centre_for_the_time(tmp_path: Path) -> None:
    async with enrolled(tmp_path) as place:
        place.clock.state, place.clock.offset_ns = 0, -20_000 * DAY
        assert await place.looks() == []
        place.let_it_be_of(50)
        assert await place.looks() == ["certificate.renewed"]


async def test_what_a_command_put_into_the_file_is_shown_without_a_restart(
    tmp_path: Path,
) -> None:
    async with enrolled(tmp_path) as place:
        assert await place.uploads() == 200
        renewal = place.renewal()
        with pytest.raises(LookedError):
            await renewal.keep()
        place.let_it_be_of(1)
        with pytest.raises(LookedError):
            await renewal.keep()
        serial = TlsIdentity.load(place.file).chain[0].serial_number
        assert await place.uploads() == 200
        place.revoke_all_but(serial)
        assert await place.uploads() == 200


async def test_a_centre_whose_certificate_is_over_is_believed_only_by_a_clock_that_was_never_set(
    tmp_path: Path,
) -> None:
    async with secured(tmp_path, offset_ns=-400 * DAY) as centre:
        place = CentrePlace(
            url=centre.url, receipt_key_file=tmp_path / "receipt.pem", ca_file=centre.ca_file
        )
        for is_time_unknown in (True, False):
            async with open_exchange(place, is_time_unknown=is_time_unknown) as exchange:
                send = exchange.send("POST", NONCES, b"", media_type=MEDIA_TYPE, is_plain=True)
                if is_time_unknown:
                    assert (await send).status == 200
                else:
                    with pytest.raises(NoAnswerError, match="certificate has expired"):
                        await send


async def test_the_key_before_is_asked_for_where_the_new_one_is_not_known_yet(
    tmp_path: Path,
) -> None:
    async with enrolled(tmp_path) as place:
        files = NextKey(key_file=tmp_path / "gateway.key")
        files.prepare(credentials=None)
        files.promote()
        place.let_it_be_of(61)
        assert await place.looks() == ["enrolment.refused", "certificate.renewed"]
        files.forget_old()
        place.let_it_be_of(61)
        assert await place.looks() == ["enrolment.refused", "certificate.unrenewed"]


async def test_a_refusal_is_told_and_nothing_is_changed(tmp_path: Path) -> None:
    async with enrolled(tmp_path) as place:
        key = load_signing_key(tmp_path / "gateway.key")
        place.centre.centre.store.revoke_key(place.chain.gateway_id, key.key_id, reason="x")
        place.let_it_be_of(61)
        before = place.file.read_bytes()
        assert await place.looks() == ["enrolment.refused", "certificate.unrenewed"]
        assert place.file.read_bytes() == before


async def test_a_centre_that_is_not_there_is_told(tmp_path: Path) -> None:
    async with enrolled(tmp_path) as place:
        place.let_it_be_of(61)
    assert await place.looks() == ["certificate.unrenewed"]


async def test_a_certificate_that_the_service_manager_gives_is_left_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with enrolled(tmp_path) as place:
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
        place.let_it_be_of(61)
        assert await place.looks() == []
