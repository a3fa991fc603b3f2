"""`edge-agent enroll` against a real centre over TLS: what it writes, and whom it tells nothing."""

import asyncio
import io
import json
import ssl
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from central_sync.ca.authority import Authority
from edge_agent.cli import main
from edge_agent.config.settings import read_settings
from edge_agent.identity import load_receipt_keys, load_signing_key
from edge_agent.identity.tls import TlsIdentity
from edge_agent.wire.enrolment import token_text
from tests.central_sync.enrol.secured import DAY, OWN, Clock, secured

MACHINE = pytest.mark.asyncio


@dataclass(frozen=True)
class Told:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def facts(self) -> dict[str, str | None]:
        """The last line as JSON; the centre in this process logs before it."""
        found: dict[str, str | None] = json.loads(self.out.splitlines()[-1])
        return found


@dataclass
class Gateway:
    """A machine that is to become a gateway."""

    folder: Path
    capsys: pytest.CaptureFixture[str]

    @property
    def config(self) -> Path:
        return self.folder / "etc" / "agent.toml"

    @property
    def state(self) -> Path:
        return self.folder / "var"

    async def enrolled(self, url: str, *more: str | Path) -> Told:
        words = ["enroll", url, "--config", self.config, "--state", self.state, *more]
        code = await asyncio.to_thread(main, [str(word) for word in words])
        told = self.capsys.readouterr()
        return Told(code, told.out, told.err)

    @property
    def files(self) -> set[str]:
        return {path.name for path in self.folder.rglob("*") if path.is_file()}


@pytest.fixture
def gateway(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Gateway:
    return Gateway(tmp_path / "gateway", capsys)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@MACHINE
async def test_a_gateway_is_enrolled_with_nothing_but_a_token_and_a_pin(
    tmp_path: Path, gateway: Gateway
) -> None:
    async with secured(tmp_path) as centre:
        code = centre.code_file(centre.token())
        told = await gateway.enrolled(centre.url, "--token", code, "--json")
        assert (told.code, told.err) == (0, "")
        facts = told.facts
        (registered,) = centre.centre.store.gateways()
        assert (facts["gateway"], facts["name"]) == (str(registered.id), "stack-1")
        settings = read_settings(gateway.config, environ={}, overrides={}).agent
        assert settings is not None
        assert settings.gateway.id == registered.id
        assert settings.gateway.facility == "PLANT"
        assert settings.centre.url == centre.url
        key = load_signing_key(settings.gateway.key_file)
        (state,) = centre.centre.store.key_states(registered.id)
        assert state.key_id == key.key_id
        assert settings.centre.certificate_file is not None
        identity = TlsIdentity.load(settings.centre.certificate_file)
        assert identity.chain
        assert mode(settings.centre.certificate_file) == mode(settings.gateway.key_file) == 0o600
        receipt_key = centre.centre.receipt_key.key_id
        assert set(load_receipt_keys(settings.centre.receipt_key_file)) == {receipt_key}
        assert settings.centre.ca_file is not None
        ssl.create_default_context(cafile=settings.centre.ca_file)
        assert gateway.files == {
            *("agent.toml", "centre-receipt.pem", "centre-ca.pem", "gateway.key", "tls.pem")
        }


@asynccontextmanager
async def stranger(folder: Path) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Serve TLS with a key of its own; yield the address, and what it is told."""
    authority = Authority(folder, now_ns=Clock()())
    authority.serve_as(["127.0.0.1"], now_ns=Clock()())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.server_certificate_file, authority.server_key_file)
    told: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        told.append(await reader.read())
        writer.close()

    async with await asyncio.start_server(listen, "127.0.0.1", 0, ssl=context) as server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", told


@MACHINE
async def test_a_server_with_another_key_is_told_nothing(tmp_path: Path, gateway: Gateway) -> None:
    async with secured(tmp_path) as centre, stranger(tmp_path) as (url, heard):
        told = await gateway.enrolled(url, "--token", centre.code_file(centre.token()))
        assert told.code == 65
        assert "Nothing was sent" in told.err
        assert centre.pin in told.err
        assert gateway.files == set()
        assert b"".join(heard) == b""


@MACHINE
async def test_a_lost_answer_is_made_up_for_by_doing_it_again(
    tmp_path: Path, gateway: Gateway
) -> None:
    async with secured(tmp_path) as centre:
        code = centre.code_file(centre.token())
        first = await gateway.enrolled(centre.url, "--token", code, "--json")
        # What is on the disk while the answer is on its way: keys, and no more.
        tls_file = gateway.state / "tls.pem"
        replace(TlsIdentity.load(tls_file), chain=()).save(gateway.state / "tls.pem.next")
        tls_file.unlink()
        gateway.config.unlink()
        again = await gateway.enrolled(centre.url, "--token", code, "--json")
        assert (again.code, again.facts) == (0, first.facts)
        assert len(centre.centre.store.gateways()) == 1
        assert TlsIdentity.load(tls_file).chain
        assert "tls.pem.next" not in gateway.files


@MACHINE
async def test_a_gateway_that_is_one_already_is_left_alone(
    tmp_path: Path, gateway: Gateway
) -> None:
    async with secured(tmp_path) as centre:
        code = centre.code_file(centre.token())
        assert (await gateway.enrolled(centre.url, "--token", code)).code == 0
        before = {path: path.read_bytes() for path in gateway.folder.rglob("*") if path.is_file()}
        told = await gateway.enrolled(centre.url, "--token", code)
        assert (told.code, "exists already: this is gateway" in told.err) == (78, True)
        assert all(path.read_bytes() == content for path, content in before.items())


@MACHINE
async def test_enrolled_anew_a_gateway_keeps_its_name_and_signing_key(
    tmp_path: Path, gateway: Gateway
) -> None:
    async with secured(tmp_path) as centre:
        code = centre.code_file(centre.token())
        first = await gateway.enrolled(centre.url, "--token", code, "--json")
        before = TlsIdentity.load(gateway.state / "tls.pem")
        code = centre.code_file(centre.token(again=True))
        told = await gateway.enrolled(centre.url, "--token", code, "--again", "--json")
        assert told.facts == first.facts
        after = TlsIdentity.load(gateway.state / "tls.pem")
        assert after.spki != before.spki
        other = centre.code_file(centre.token("stack-2"))
        told = await gateway.enrolled(centre.url, "--token", other, "--again")
        assert (told.code, "other_gateway" in told.err) == (65, True)


@MACHINE
async def test_a_token_that_is_no_good_is_told_with_what_to_do(
    tmp_path: Path, gateway: Gateway
) -> None:
    async with secured(tmp_path) as centre:
        used = centre.token("stack-1")
        other = Gateway(tmp_path / "other", gateway.capsys)
        assert (await other.enrolled(centre.url, "--token", centre.code_file(used))).code == 0
        told = await gateway.enrolled(centre.url, "--token", centre.code_file(used))
        assert (told.code, "token_used" in told.err) == (65, True)
        assert "if it was not you, say so at once" in told.err.lower()
        told = await gateway.enrolled(centre.url, "--token", centre.code_file(bytes(20)))
        assert (told.code, "token_unknown" in told.err) == (65, True)
        token = centre.token("stack-2")
        centre.clock.offset_ns = DAY - 3600 * 1_000_000_000
        assert (await gateway.enrolled(centre.url, "--token", centre.code_file(token))).code == 0


@MACHINE
@pytest.mark.parametrize(("offset_ns", "words"), [(2 * DAY, "behind"), (-2 * DAY, "ahead of")])
async def test_a_clock_that_is_a_day_off_is_told_before_the_token_is(
    tmp_path: Path, gateway: Gateway, offset_ns: int, words: str
) -> None:
    async with secured(tmp_path) as centre:
        token = centre.token()
        code = centre.code_file(token)
        centre.clock.offset_ns = offset_ns
        told = await gateway.enrolled(centre.url, "--token", code)
        assert (told.code, words in told.err) == (78, True)
        assert gateway.files == set()


@MACHINE
async def test_a_dry_run_sends_no_token_and_writes_nothing(
    tmp_path: Path, gateway: Gateway
) -> None:
    async with secured(tmp_path) as centre:
        code = centre.code_file(bytes(20))
        told = await gateway.enrolled(centre.url, "--token", code, "--dry-run")
        assert (told.code, "nothing was sent" in told.out) == (0, True)
        assert gateway.files == set()


@MACHINE
async def test_a_token_comes_from_standard_input_and_a_pin_from_the_command_line(
    tmp_path: Path, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with secured(tmp_path) as centre:
        monkeypatch.setattr(sys, "stdin", io.StringIO(token_text(centre.token()).lower() + "\n"))
        told = await gateway.enrolled(centre.url, "--token", "-", "--pin", centre.pin)
        assert (told.code, told.err) == (0, "")
        assert "enrolled: stack-1 of PLANT is gateway" in told.out


@MACHINE
async def test_a_centre_is_believed_by_a_ca_file_too(tmp_path: Path, gateway: Gateway) -> None:
    async with secured(tmp_path) as centre, stranger(tmp_path) as (url, heard):
        code = tmp_path / "token"
        code.write_text(token_text(centre.token()))
        trust = ("--ca-file", centre.ca_file)
        told = await gateway.enrolled(url, "--token", code, *trust)
        assert (told.code, "is not believed" in told.err, heard) == (65, True, [])
        assert (await gateway.enrolled(centre.url, "--token", code, *trust)).code == 0
        assert (await gateway.enrolled(centre.url, "--token", code)).code == 78


@MACHINE
async def test_where_others_certify_there_is_a_signing_request(
    tmp_path: Path, gateway: Gateway
) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    theirs = Authority(folder, now_ns=Clock()())
    async with secured(tmp_path, replace(OWN, client_ca=theirs.certificate_file)) as centre:
        told = await gateway.enrolled(centre.url, "--token", centre.code_file(centre.token()))
        assert (told.code, "tls.csr signed, with the name urn:uuid:" in told.out) == (0, True)
        identity = TlsIdentity.load(gateway.state / "tls.pem")
        assert not identity.chain
        assert "tls.csr" in gateway.files


@MACHINE
async def test_nobody_is_enrolled_by_a_code_that_is_mistyped(
    tmp_path: Path, gateway: Gateway
) -> None:
    code = tmp_path / "code"
    for text, problem in (
        ("token ABCD\n", "not a whole token"),
        (f"token {'!' * 32}\n", "not a token"),
        (f"token {token_text(bytes(20))}\npin 12\n", "not a whole pin"),
        (f"token {token_text(bytes(20))}\npin xy\n", "not a pin"),
        (token_text(bytes(20)), "no pin"),
        ("", "not a whole token"),
    ):
        code.write_text(text)
        told = await gateway.enrolled("https://127.0.0.1:1", "--token", code)
        assert (told.code, problem in told.err) == (2, True), told.err
    told = await gateway.enrolled("https://127.0.0.1:1", "--token", tmp_path / "none")
    assert (told.code, "No such file" in told.err) == (78, True)


@MACHINE
async def test_plain_http_is_for_this_machine_only(tmp_path: Path, gateway: Gateway) -> None:
    with pytest.raises(SystemExit) as refused:
        await gateway.enrolled("http://centre.example:8080", "--token", tmp_path / "none")
    assert refused.value.code == 2
    assert "plain http to centre.example" in gateway.capsys.readouterr().err
