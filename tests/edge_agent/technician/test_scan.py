"""`edge-agent scan`: bounded, read-only, once each, and asked about first."""

import asyncio
import io
import json
import os
import struct
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from edge_agent.cli.scan import main
from edge_agent.config.endpoint import Parity, SerialLine
from edge_agent.config.library import Library, LoadedProfile
from edge_agent.config.protocols.registry import PROFILE_KINDS
from edge_agent.drivers.bayern_hessen_frames import framed
from edge_agent.errors import ExitCode, OperatorError
from edge_agent.technician.scanning import (
    QUESTIONS,
    matching,
    serial_questions,
    tcp_questions,
    usual_protocols,
)
from tests.conformance.driver.rtu import crc, terminal
from tests.conformance.driver.test_opcua import serving as opcua_serving

pytestmark = pytest.mark.filterwarnings("default::DeprecationWarning")

IDENTITY = bytes((0x2B, 0x0E, 0x01, 0x01, 0x00, 0x00, 0x02))
NAMED = IDENTITY + b"\x00\x04SICK" + b"\x01\x04GM32"
LINE = SerialLine(baud=9600, parity=Parity.NONE)


async def command(*words: str) -> int:
    return await asyncio.to_thread(main, words)


async def scanned(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, object]]:
    """Run a scan; return who answered."""
    await command(*words, "--yes", "--json", "--timeout", "0.3")
    rows: list[dict[str, object]] = json.loads(capsys.readouterr().out)["answers"]
    return rows


@asynccontextmanager
async def modbus(answer: Callable[[int, bytes], bytes]) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Serve answers of one unit and function; yields the port, and what was asked."""
    asked: list[bytes] = []
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        try:
            while True:
                head = await reader.readexactly(7)
                transaction, _, length, unit = struct.unpack(">HHHB", head)
                pdu = await reader.readexactly(length - 1)
                asked.append(pdu)
                said = answer(unit, pdu)
                if said:
                    writer.write(struct.pack(">HHHB", transaction, 0, len(said) + 1, unit) + said)
        except (asyncio.IncompleteReadError, ConnectionError):
            return

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], asked
    finally:
        server.close()
        for writer in writers:
            writer.close()


@pytest.mark.asyncio
async def test_a_device_is_listed_with_what_it_says_and_the_profile_of_that(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with modbus(lambda *_: NAMED) as (port, asked):
        (row,) = await scanned(capsys, "tcp", "127.0.0.1", "--ports", f"{port}:modbus")
    assert row["says"] == {"vendor": "SICK", "product": "GM32"}
    assert row["profiles"] == ["sick/gm32"]
    # Function 43, type 14, basic, from object 0: one request, which only reads.
    assert asked == [bytes((0x2B, 0x0E, 0x01, 0x00))]


@pytest.mark.parametrize(
    ("said", "outcome", "detail"),
    [
        (bytes((0xAB, 1)), "answers", "does not tell who it is (exception 1)"),
        (bytes((0xAB,)), "answers", "does not tell who it is (exception 0)"),
        (bytes((0x03, 2, 0, 1)), "answers otherwise", "03 02 00 01"),
        (IDENTITY[:4], "answers otherwise", "2b 0e 01 01"),
        (IDENTITY + b"\x00\x40cut", "answers", ""),
        (IDENTITY + b"\x00\x03\x07\xff\x00\x01", "answers", ""),
    ],
)
@pytest.mark.asyncio
async def test_whatever_answers_is_listed_and_breaks_nothing(
    said: bytes, outcome: str, detail: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with modbus(lambda *_: said) as (port, _):
        (row,) = await scanned(capsys, "tcp", "127.0.0.1", "--ports", f"{port}:modbus")
    assert (row["outcome"], row["detail"]) == (outcome, detail)


@pytest.mark.asyncio
async def test_nobody_and_silence_are_told_apart_from_answers(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with modbus(lambda *_: b"") as (port, asked):
        words = ("tcp", "127.0.0.1", "--ports", f"{port}:modbus,1:modbus", "--timeout", "0.2")
        assert await command(*words, "--yes") == ExitCode.UNAVAILABLE
    assert "nobody answers: 1 silent, 1 closed" in capsys.readouterr().out
    assert len(asked) == 1


@pytest.mark.asyncio
async def test_an_opc_ua_server_is_listed_without_a_session(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with opcua_serving() as (port, _):
        words = ("tcp", "127.0.0.1", "--ports", f"{port}:opcua", "--timeout", "5")
        assert await command(*words, "--yes", "--json") == ExitCode.OK
    (row,) = json.loads(capsys.readouterr().out)["answers"]
    assert row["says"]["security"] == "None"
    assert row["outcome"] == "answers"


@pytest.mark.asyncio
async def test_a_web_server_is_no_opc_ua_server(capsys: pytest.CaptureFixture[str]) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        rows = await scanned(capsys, "tcp", "127.0.0.1", "--ports", f"{port}:opcua")
    assert all(row["outcome"] != "answers" for row in rows)


@pytest.mark.asyncio
async def test_units_of_a_serial_line_are_asked_one_after_the_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked: list[bytes] = []
    async with terminal() as (ours, path):

        def heard() -> None:
            octets = os.read(ours, 256)
            asked.append(octets)
            if octets[0] in (2, 3):
                said = octets[:1] + (NAMED if octets[0] == 2 else bytes((0xAB, 1)))
                os.write(ours, said + crc(said))

        asyncio.get_running_loop().add_reader(ours, heard)
        try:
            rows = await scanned(capsys, "serial", path, "--baud", "115200", "--units", "1-4")
        finally:
            asyncio.get_running_loop().remove_reader(ours)
    assert [octets[0] for octets in asked] == [1, 2, 3, 4]
    assert all(octets[1:5] == bytes((0x2B, 0x0E, 0x01, 0x00)) for octets in asked)
    assert [(row["unit_id"], row["profiles"]) for row in rows] == [(2, ["sick/gm32"]), (3, [])]


@pytest.mark.asyncio
async def test_instruments_of_a_bayern_hessen_line_are_asked_only_for_their_data(
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readexactly(9))
        writer.write(framed(b"MD01 097 +1234+01 00 00 001 000001"))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        words = ("tcp", "127.0.0.1", "--ports", f"{port}:bayern_hessen", "--unit", "97")
        (row,) = await scanned(capsys, *words)
    assert asked == [b"\x02DA097\x033A"]  # the printed example of the Serinus 44 manual, p. 168
    assert row["says"] == {"values": "1", "gas ids": "001"}


@pytest.mark.asyncio
async def test_a_port_that_is_not_there_is_told_with_what_to_check() -> None:
    with pytest.raises(OperatorError, match="group dialout") as caught:
        await command("serial", "/dev/ttyUSB99", "--yes")
    assert caught.value.exit_code == ExitCode.UNAVAILABLE


@pytest.mark.asyncio
async def test_without_a_yes_nothing_is_asked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))  # no terminal: nobody has read the plan
    async with modbus(lambda *_: NAMED) as (port, asked):
        words = ("tcp", "127.0.0.1", "--ports", f"{port}:modbus")
        assert await command(*words) == ExitCode.FAILURE
        assert await command(*words, "--dry-run") == ExitCode.OK
    assert asked == []
    told = capsys.readouterr().out
    assert f"1 x Read Device Identification (function 43/14) at port {port}" in told


@pytest.mark.parametrize(
    ("network", "ports", "told"),
    [
        ("10.0.0.0/8", "502", "at most 256 are asked"),
        ("10.0.0.0/24", "502,4840", "508 questions; at most 256"),
        ("2001:db8::/64", "502", "at most 256 are asked"),
        ("the plant", "502", "write 10.0.5.20 or 10.0.5.0/24"),
        ("10.0.0.1", "0", "a port is 1 to 65535"),
        ("10.0.0.1", "99999", "a port is 1 to 65535"),
        ("10.0.0.1", "9999", "say what to ask there: 9999:PROTOCOL"),
        ("10.0.0.1", "502:http", "say what to ask there: 502:PROTOCOL"),
        ("10.0.0.1", "", "a port is 1 to 65535"),
    ],
)
def test_what_is_too_much_or_cannot_be_meant_is_refused(
    network: str, ports: str, told: str
) -> None:
    with pytest.raises(OperatorError) as caught:
        tcp_questions(network, ports, unit_id=1)
    assert told in str(caught.value)


def test_a_modbus_unit_is_one_octet() -> None:
    with pytest.raises(OperatorError, match="Modbus units are 0 to 255"):
        tcp_questions("10.0.0.1", "502", unit_id=256)
    (question,) = tcp_questions("10.0.0.1", "9000:bayern_hessen", unit_id=256)
    assert question.unit_id == 256


@pytest.mark.parametrize("units", ["0", "248", "1-300", "a", "1-", "5-1x", "-3", "5-1", ""])
def test_units_that_there_are_not_are_refused(units: str) -> None:
    with pytest.raises(OperatorError, match="--units"):
        serial_questions("/dev/ttyUSB0", LINE, units)


def test_a_whole_network_of_one_port_fits_and_no_address_is_asked_twice() -> None:
    questions = tcp_questions("10.0.5.0/24", "502", unit_id=3)
    assert len(questions) == len(set(questions)) == 254
    assert {question.unit_id for question in questions} == {3}
    assert len(serial_questions("/dev/ttyUSB0", LINE, "1-16,3,5")) == 16


def test_every_question_is_of_a_protocol_that_there_is() -> None:
    assert set(QUESTIONS) <= set(PROFILE_KINDS)
    assert usual_protocols() == {502: "modbus", 4840: "opcua"}


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        ({"vendor": "SICK", "product": "GM32"}, ("sick/gm32",)),
        ({"vendor": "Sick AG", "product": "gm32 ex"}, ("sick/gm32",)),
        ({"vendor": "SICK", "product": "GM320"}, ()),
        ({"product": "T300M"}, ("teledyne-api/t300",)),
        ({}, ()),
        ({"product": ""}, ()),
    ],
)
def test_a_profile_matches_when_the_device_names_its_model(
    says: Mapping[str, str], expected: tuple[str, ...]
) -> None:
    library = Library.beside(Path("/nowhere/agent.toml"))
    loaded = [library.load(name) for name in library.paths]
    known = [one.profile for one in loaded if isinstance(one, LoadedProfile)]
    assert matching(says, "modbus", known) == expected
    assert matching(says, "opcua", known) == ()
