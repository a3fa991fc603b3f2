"""The adapter to pydnp3, against a stub of its interface: nobody can install the library here.

The names are those of pydnp3 0.1.0, src/opendnp3, src/asiodnp3 and its example of a master.
"""

import asyncio
import sys
import threading
from dataclasses import dataclass, replace
from types import ModuleType, SimpleNamespace

import pytest

from edge_agent.config.protocols.dnp3 import Backend, Events
from edge_agent.drivers.base import LinkClosedError, LinkLostError
from edge_agent.drivers.dnp3 import connect
from edge_agent.drivers.dnp3_layouts import LAYOUTS
from edge_agent.drivers.dnp3_opendnp3 import values_of
from edge_agent.wire.vocabulary import Reason
from tests.conformance.driver.outstation import CLOCK, bits, device
from tests.conformance.driver.subject import scan_of

pytestmark = pytest.mark.asyncio


class Interface:
    """A class that is there to be derived from."""


class ClassField:
    CLASS_0 = 1

    def __init__(self, mask: int) -> None:
        self.mask = mask


def indexed(index: int, value: float, flags: int) -> SimpleNamespace:
    """Return one value as the library shows it."""
    held = SimpleNamespace(value=value, flags=SimpleNamespace(value=flags))
    return SimpleNamespace(index=index, value=held)


class Collection:
    def __init__(self, *values: SimpleNamespace) -> None:
        self.values = values

    def Foreach(self, visitor: SimpleNamespace) -> None:  # noqa: N802 - as the library has it
        for value in self.values:
            visitor.OnValue(value)


class ICollectionIndexedAnalog(Collection):
    """Analog inputs."""


class ICollectionIndexedBinary(Collection):
    """Binary inputs."""


class ICollectionIndexedCounter(Collection):
    """Counters."""


@dataclass
class Library:
    """What the outstation behind the stub says, and what the stub was told."""

    result: str | None = "SUCCESS"
    settings: SimpleNamespace | None = None
    asked: int = 0
    is_shut: bool = False

    def ScanClasses(self, field: ClassField) -> None:  # noqa: N802 - as the library has it
        assert field.mask == ClassField.CLASS_0
        self.asked += 1
        threading.Thread(target=self._answer).start()

    def Enable(self) -> None:  # noqa: N802 - as the library has it
        """Begin."""

    def AddMaster(  # noqa: N802 - as the library has it
        self,
        _name: str,
        handler: SimpleNamespace,
        application: SimpleNamespace,
        settings: SimpleNamespace,
    ) -> "Library":
        self.handler, self.application, self.settings = handler, application, settings
        return self

    def _answer(self) -> None:
        if self.result is None:
            return
        for variation, values in (
            ("Group30Var5", ICollectionIndexedAnalog(indexed(0, 0.1, 1), indexed(1, 2.5, 0x41))),
            ("Group32Var7", ICollectionIndexedAnalog(indexed(0, 99.0, 1))),
            ("Group1Var1", ICollectionIndexedBinary(indexed(0, 1, 1))),
            ("Group20Var1", ICollectionIndexedCounter(indexed(0, 2**32 - 1, 1))),
            ("Group110Var3", Collection()),
        ):
            self.handler.Process(SimpleNamespace(gv=f"GroupVariation.{variation}"), values)
        for task in ("DISABLE_UNSOLICITED", "USER_TASK"):
            told = SimpleNamespace(
                type=f"MasterTaskType.{task}", result=f"TaskCompletion.{self.result}"
            )
            self.application.OnTaskComplete(told)


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Library:
    own = Library()

    def shutdown() -> None:
        own.is_shut = True

    def manager(_threads: int, _log: object) -> SimpleNamespace:
        return SimpleNamespace(AddTCPClient=lambda *_: own, Shutdown=shutdown)

    def master_stack() -> SimpleNamespace:
        return SimpleNamespace(master=SimpleNamespace(), link=SimpleNamespace())

    said: dict[str, dict[str, object]] = {
        "opendnp3": {
            "ClassField": ClassField,
            **dict.fromkeys(("ISOEHandler", "IMasterApplication"), Interface),
            **dict.fromkeys(
                (f"IVisitorIndexed{name}" for name in ("Analog", "Binary", "Counter")), Interface
            ),
        },
        "openpal": {
            "ILogHandler": Interface,
            "TimeDuration": lambda: SimpleNamespace(Milliseconds=lambda ms: ms),
        },
        "asiopal": {"ChannelRetry": lambda: SimpleNamespace(Default=lambda: None)},
        "asiodnp3": {
            "DNP3Manager": manager,
            "IChannelListener": Interface,
            "MasterStackConfig": master_stack,
        },
    }
    package = ModuleType("pydnp3")
    package.__spec__ = sys.__spec__
    monkeypatch.setitem(sys.modules, "pydnp3", package)
    for name, members in said.items():
        module = ModuleType(f"pydnp3.{name}")
        for own_name, member in members.items():
            setattr(module, own_name, member)
        monkeypatch.setitem(sys.modules, f"pydnp3.{name}", module)
    return own


async def test_present_values_are_read_and_nothing_is_written(library: Library) -> None:
    own = device(20_000, Events.NONE, backend=Backend.PYDNP3)
    async with connect([own], CLOCK) as connection:
        assert connection.listen is None
        await scan_of(connection.drivers[0])
        scan = await scan_of(connection.drivers[0])
    assert scan.raw.tolist() == [bits(0.1), bits(2.5), 1, 2**32 - 1]
    assert scan.status.tolist() == [1, 0x41, 0, 1]
    assert scan.transport.tolist() == [0, 2, Reason.NO_FLAGS, 0]
    assert library.asked == 2
    assert library.is_shut
    assert library.settings is not None
    told = library.settings.master
    assert (told.disableUnsolOnStartup, told.ignoreRestartIIN) == (True, True)
    assert told.responseTimeout == 400
    masks = (told.startupIntegrityClassMask, told.unsolClassMask)
    assert [mask.mask for mask in (*masks, told.eventScanOnEventsAvailableClassMask)] == [0, 0, 0]
    assert (library.settings.link.LocalAddr, library.settings.link.RemoteAddr) == (1, 10)


async def test_a_question_that_fails_or_goes_unanswered_gives_no_values(library: Library) -> None:
    own = replace(device(20_000, Events.NONE, backend=Backend.PYDNP3), timeout_s=0.05)
    async with connect([own], CLOCK) as connection:
        library.result = "FAILURE_RESPONSE_TIMEOUT"
        with pytest.raises(LinkLostError, match="FAILURE_RESPONSE_TIMEOUT") as told:
            await connection.drivers[0].read()
        assert not isinstance(told.value, LinkClosedError)
        library.result = None
        for _ in range(2):
            with pytest.raises(LinkClosedError):
                await connection.drivers[0].read()


async def test_a_shutdown_that_never_ends_is_left(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = threading.Event()
    monkeypatch.setattr("edge_agent.drivers.dnp3_opendnp3.FAREWELL_S", 0.05)
    stuck = SimpleNamespace(AddTCPClient=lambda *_: library, Shutdown=over.wait)
    monkeypatch.setattr(sys.modules["pydnp3.asiodnp3"], "DNP3Manager", lambda *_: stuck)
    try:
        async with asyncio.timeout(5):
            async with connect([device(1, Events.NONE, backend=Backend.PYDNP3)], CLOCK):
                pass
    finally:
        over.set()


async def test_without_the_library_the_link_is_closed_and_says_why() -> None:
    with pytest.raises(LinkClosedError, match="pydnp3 cannot be imported"):
        async with connect([device(1, Events.NONE, backend=Backend.PYDNP3)], CLOCK):
            pytest.fail("imported nothing")


async def test_values_of_no_point_are_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="of no point"):
        values_of(LAYOUTS[50, 1], [])
