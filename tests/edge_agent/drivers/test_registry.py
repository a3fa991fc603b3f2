"""The registry of protocols, and that no driver can write to a device."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path
from typing import get_type_hints

import pytest
from dnp3.core.enums import FunctionCode

import edge_agent
from edge_agent.drivers import LIBRARIES, PROTOCOLS, connector, require_libraries
from edge_agent.drivers.dnp3_exchange import (
    CONFIRM,
    REQUESTS,
    TIME,
    TIME_RECORDED,
    WRITE,
    Asked,
)
from edge_agent.drivers.modbus_link import FUNCTION_CODES
from edge_agent.drivers.mqtt_link import Link
from edge_agent.errors import OperatorError

SOURCES = sorted(
    path for path in Path(edge_agent.__file__).parent.rglob("*.py") if "simulator" not in path.parts
)
# Modbus Application Protocol V1.1b3, section 5.1, by pymodbus's names; and those of asyncua that
# write a variable or call a method.
WRITING = (
    *("write_coil", "write_register", "mask_write", "readwrite", "write_file_record"),
    *("write_value", "write_attribute", "set_value", "call_method"),
)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_protocol_connects_devices_with_a_clock(protocol: str) -> None:
    connect = connector(protocol)
    assert list(inspect.signature(connect).parameters) == ["devices", "clock"]
    assert set(get_type_hints(inspect.unwrap(connect))) == {"devices", "clock", "return"}


def test_every_protocol_says_which_library_it_needs() -> None:
    assert LIBRARIES.keys() == PROTOCOLS.keys()
    require_libraries(PROTOCOLS)


def test_a_library_that_is_not_installed_is_told_with_the_extra_that_brings_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("edge_agent.drivers.find_spec", lambda _name: None)
    with pytest.raises(OperatorError) as told:
        require_libraries(["opcua", "opcua"])
    assert told.value.problems == (
        "opcua devices need asyncua, which is not installed. Install emissionwatch-edge[opcua]",
    )


def test_an_unknown_protocol_is_an_error() -> None:
    with pytest.raises(KeyError):
        connector("profibus")


def test_no_protocol_library_is_loaded_before_a_device_needs_it() -> None:
    code = (
        "import sys, edge_agent.drivers, edge_agent.drivers.poller, edge_agent.drivers.registers\n"
        "libraries = ('asyncua', 'dnp3', 'pymodbus', 'paho')\n"
        "print([name for name in sys.modules if name.startswith(libraries)])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_nothing_outside_the_simulator_calls_a_function_that_writes_to_a_device(
    path: Path,
) -> None:
    names = {
        node.attr
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
    }
    assert not [name for name in names if name.startswith(WRITING)]


def test_nothing_is_published_but_the_request_to_be_born_again() -> None:
    published = [
        (path.stem, node.lineno)
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr == "publish"
    ]
    assert [stem for stem, _ in published] == ["mqtt_link"]
    (line,) = [number for _, number in published]
    code, first = inspect.getsourcelines(Link.request_rebirth)
    assert first <= line < first + len(code)


def test_modbus_has_no_function_code_that_writes() -> None:
    # Modbus Application Protocol V1.1b3, section 5.1: 1 to 4 read, the others do not or do more.
    assert sorted(FUNCTION_CODES.values()) == [1, 2, 3, 4]


def test_dnp3_has_no_function_that_operates_and_writes_nothing_but_the_time() -> None:
    # IEEE 1815-2012, section 4.4, by dnp3py's names.
    asked = {function for function, _ in REQUESTS.values()} | {CONFIRM, WRITE}
    assert {FunctionCode(function).name for function in asked} == {
        *("CONFIRM", "READ", "WRITE", "ENABLE_UNSOLICITED", "DISABLE_UNSOLICITED"),
        *("DELAY_MEASURE", "RECORD_CURRENT_TIME"),
    }
    # What is asked with objects of its own is written; only the agenda has such objects.
    assert set(Asked) - set(REQUESTS) == {Asked.TIME}
    used = {
        path.stem
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Name) and node.id in {"TIME", "TIME_RECORDED"}
    }
    assert used == {"dnp3_exchange", "dnp3_clock"}
    assert (TIME[:2], TIME_RECORDED[:2]) == (b"\x32\x01", b"\x32\x03")  # group 50


def test_the_guard_against_writing_knows_the_library_it_guards() -> None:
    from pymodbus.client import AsyncModbusTcpClient  # noqa: PLC0415 - not loaded by the module

    writing = {name for name in dir(AsyncModbusTcpClient) if "write" in name}
    assert writing
    assert all(name.startswith(WRITING) for name in writing)
