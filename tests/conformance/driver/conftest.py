"""The protocols under the driver conformance suite.

A protocol is added by a module like `modbus` and one more entry in SUBJECTS; the suite stays as it
is.
"""

import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import pytest
import pytest_asyncio
import structlog

from tests.conformance.driver.bayern_hessen import BayernHessen
from tests.conformance.driver.broker import Broker
from tests.conformance.driver.dnp3 import Dnp3
from tests.conformance.driver.modbus import Modbus
from tests.conformance.driver.opcua import reset, running
from tests.conformance.driver.opcua_subscribed import Served
from tests.conformance.driver.rtu import RtuOverTcp
from tests.conformance.driver.subject import Subject

SUBJECTS: Final[Mapping[str, Subject]] = MappingProxyType(
    {
        "modbus": Modbus(),
        "modbus rtu over tcp": RtuOverTcp(),
        "bayern hessen": BayernHessen(),
        "dnp3": Dnp3(),
    }
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run every test for every protocol, and those that take a fault for each of its faults."""
    if "fault" in metafunc.fixturenames:
        pairs = [(subject, fault) for subject in SUBJECTS.values() for fault in subject.faults]
        ids = [f"{name}-{fault}" for name, one in SUBJECTS.items() for fault in one.faults]
        metafunc.parametrize(("subject", "fault"), pairs, ids=ids)
    elif "subject" in metafunc.fixturenames:
        metafunc.parametrize("subject", SUBJECTS.values(), ids=SUBJECTS)


@pytest.fixture(scope="module", autouse=True)
def quiet() -> Iterator[None]:
    """Keep our log and the libraries' out of the test's output."""
    libraries = [logging.getLogger(name) for name in ("pymodbus", "asyncua")]
    levels = [library.level for library in libraries]
    for library in libraries:
        library.setLevel(logging.CRITICAL)
    structlog.configure(processors=[_dropped])
    yield
    structlog.reset_defaults()
    for library, level in zip(libraries, levels, strict=True):
        library.setLevel(level)


def _dropped(
    _logger: object, _name: str, _line: structlog.types.EventDict
) -> structlog.types.EventDict:
    raise structlog.DropEvent


@pytest_asyncio.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    """Return an MQTT broker that runs while the test does."""
    async with Broker(tmp_path) as one:
        yield one


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def opcua_server() -> AsyncIterator[Served]:
    """Run an OPC UA server for all tests of a module."""
    async with running() as (server, port, variables):
        yield Served(server, port, variables)


@pytest_asyncio.fixture(loop_scope="module")
async def served(opcua_server: Served) -> Served:
    """Return the server with its first values."""
    await reset(opcua_server.variables)
    return opcua_server
