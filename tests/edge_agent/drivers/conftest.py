"""What the driver tests share: devices made of points, virtual time, and a quiet log."""

from collections.abc import Callable, Iterator, Sequence

import pytest
import structlog

from edge_agent.config.device import Device, Endpoint, Point, Table
from edge_agent.config.protocols.modbus import ModbusSpeech, Register
from tests.edge_agent.drivers.scripted import VirtualClock

MakeDevice = Callable[..., Device]


@pytest.fixture(scope="session")
def make_device() -> MakeDevice:
    """Return a maker of devices; points are (table, address, type) or (..., status address)."""

    def make(
        *places: tuple[Table, int, str] | tuple[Table, int, str, Register | None],
        name: str = "analyzer",
        port: int = 502,
        max_registers: int = 125,
        unreadable: Sequence[tuple[Table, int, int]] = (),
        period_s: float = 1.0,
    ) -> Device:
        points = tuple(
            Point(
                channel=index + 1,
                place=Register(table=place[0], address=place[1]),
                raw_type=place[2],
                status=place[3] if len(place) > 3 else None,
            )
            for index, place in enumerate(places)
        )
        return Device(
            name=name,
            endpoint=Endpoint(scheme="tcp", host="127.0.0.1", port=port),
            speech=ModbusSpeech(
                unit_id=1, max_registers_per_read=max_registers, unreadable=tuple(unreadable)
            ),
            period_s=period_s,
            timeout_s=0.8,
            points=points,
            channels=(),
            limits=(),
            status_rules=(),
        )

    return make


@pytest.fixture
def clock() -> VirtualClock:
    """Return a clock at 1,000 s after boot."""
    return VirtualClock()


@pytest.fixture(scope="module", autouse=True)
def quiet() -> Iterator[None]:
    """Keep the log out of the test's output; tests of the log capture it."""
    structlog.configure(processors=[_dropped])
    yield
    structlog.reset_defaults()


def _dropped(
    _logger: object, _name: str, _line: structlog.types.EventDict
) -> structlog.types.EventDict:
    raise structlog.DropEvent
