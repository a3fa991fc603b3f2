"""The simulated plant as a whole: what is asked for, and the serving of it until it is stopped."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Final, Protocol, TypeAlias, cast

from edge_agent.clock import Clock, SystemClock
from edge_agent.config.profile import Profile
from edge_agent.errors import ExitCode, OperatorError
from edge_agent.simulator.analyzer import Analyzer
from edge_agent.simulator.fault import FaultRates
from edge_agent.simulator.instrument import Instrument
from edge_agent.simulator.modbus import serving
from edge_agent.simulator.plant import Plant, Scenario
from edge_agent.simulator.record import Record, record_in
from edge_agent.simulator.registers import Registers
from edge_agent.simulator.shipped import shipped
from edge_agent.simulator.site import Site, open_questions
from edge_agent.simulator.terminal import terminal_before

MAX_DEVICES: Final = 200
MODBUS: Final = "modbus"
# What serves the plants of a protocol, beside Modbus: its libraries load when it is asked for.
SERVERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "dnp3": "edge_agent.simulator.dnp3:dnp3",
        "opcua": "edge_agent.simulator.opcua:opcua",
        "mqtt": "edge_agent.simulator.brokered:mqtt",
        "sparkplug": "edge_agent.simulator.brokered:sparkplug",
        "bayern_hessen": "edge_agent.simulator.bayern_hessen:bayern_hessen",
    }
)
PROFILE: Final = "emissionwatch/simulated-stack"
# What is served where no profile is named.
PROFILES: Final[Mapping[str, str]] = MappingProxyType(
    {
        MODBUS: PROFILE,
        "opcua": "emissionwatch/simulated-opcua",
        "mqtt": "emissionwatch/simulated-mqtt",
        "sparkplug": "emissionwatch/simulated-spb",
        "bayern_hessen": "emissionwatch/simulated-bh",
        "dnp3": "emissionwatch/simulated-dnp3",
    }
)
# The port of a device on a TCP line, or the path of one on a serial line.
Where: TypeAlias = int | str


class Line(StrEnum):
    """What devices are reached over."""

    TCP = "tcp"
    RTU = "rtu+tcp"
    SERIAL = "serial"


class Serve(Protocol):
    """Serves instruments until the end of the block; yields their ports."""

    def __call__(
        self, instruments: Sequence[Instrument], *, host: str, port: int, clock: Clock
    ) -> AbstractAsyncContextManager[tuple[int, ...]]:
        """Serve."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorSettings:
    """What to simulate.

    Attributes:
        scenario: what happens at the plant.
        seed: the same seed gives the same plant at the same times.
        port: of the first device; the others follow. 0: free ports.
        device_count: devices `stack-1`, `stack-2`, ..., each with a stack of its own.
        log: every answer is added to this file as a JSON line; None: nothing is written.
        faults: what befalls requests.
        host: address to listen on.
        protocol: what the devices speak; Modbus alone knows of `log` and `faults`.
        profile: of which model the devices are; None: the simulated stack of the protocol.
        site: what the profile leaves open.
        line: what the devices are reached over.

    """

    scenario: Scenario = Scenario.NORMAL
    seed: int = 1
    port: int = 5020
    device_count: int = 1
    log: Path | None = None
    faults: FaultRates = field(default_factory=FaultRates)
    host: str = "127.0.0.1"
    protocol: str = MODBUS
    profile: Profile | None = None
    site: Site = field(default_factory=Site)
    line: Line = Line.TCP

    def __post_init__(self) -> None:
        """Refuse more devices than one process should serve, and ports that do not exist."""
        if not 1 <= self.device_count <= MAX_DEVICES:
            raise ValueError(f"{self.device_count} devices: 1 to {MAX_DEVICES} can be simulated")
        if not 0 <= self.port <= 65_536 - self.device_count:
            raise ValueError(f"port {self.port}: the last of {self.device_count} devices has none")
        if self.protocol not in (MODBUS, *SERVERS):
            known = ", ".join((MODBUS, *SERVERS))
            raise ValueError(f"'{self.protocol}' cannot be simulated; there are {known}")
        if self.protocol != MODBUS and (self.log is not None or self.faults.rates):
            raise ValueError(f"{self.protocol}: log and faults are of {MODBUS} devices only")
        if self.profile is not None and self.profile.protocol != self.protocol:
            raise ValueError(f"{self.profile.id} speaks {self.profile.protocol}: leave --protocol")
        if self.site.like is not None and self.device_count > 1:
            raise ValueError("one file is of one device: leave --devices")
        self._check_site()

    def _check_site(self) -> None:
        profile = self.model
        if self.line is not Line.TCP and self.line.value not in profile.SCHEMES:
            known = ", ".join(line.value for line in Line if line.value in profile.SCHEMES)
            said = f"{self.protocol} does not go over {self.line.value}; it goes over"
            raise ValueError(f"{said} {known or ', '.join(profile.SCHEMES)}")
        questions = tuple(open_questions(profile, self.site))
        if questions:
            raise ValueError("; ".join(questions))

    @property
    def model(self) -> Profile:
        """The profile of the devices."""
        return shipped(PROFILES[self.protocol]) if self.profile is None else self.profile


def instruments_of(settings: SimulatorSettings, *, started_ns: int) -> tuple[Instrument, ...]:
    """Return the devices of a plant, each at a stack with a seed of its own."""
    profile = settings.model
    return tuple(
        Instrument(
            name=f"stack-{index + 1}",
            plant=Plant(
                # The seeds of one plant must not meet those of the plant with the next seed.
                seed=settings.seed * MAX_DEVICES + index,
                scenario=settings.scenario,
                started_ns=started_ns,
            ),
            profile=profile,
            site=settings.site,
        )
        for index in range(settings.device_count)
    )


def plant_analyzers(
    settings: SimulatorSettings, *, record: Record, started_ns: int
) -> tuple[Analyzer, ...]:
    """Return the Modbus analyzers of a plant, one at each stack."""
    return tuple(
        Analyzer(
            name=one.name,
            unit=one.number,
            plant=one.plant,
            profile=one.profile,
            memory=Registers(one),
            faults=settings.faults,
            record=record,
            counts_polls=one.profile.id == PROFILE,
        )
        for one in instruments_of(settings, started_ns=started_ns)
    )


def server_of(protocol: str) -> Serve:
    """Return what serves instruments over a protocol that is not Modbus, importing its module.

    Raises:
        OperatorError: what it needs is not installed.

    """
    module_name, _, name = SERVERS[protocol].partition(":")
    try:
        # import_module gives untyped names; a test serves every entry of SERVERS.
        return cast("Serve", getattr(import_module(module_name), name))
    except ModuleNotFoundError as error:
        raise OperatorError(
            f"{protocol}: {error.name} is not installed. Install emissionwatch-edge[edge,demo]",
            exit_code=ExitCode.UNAVAILABLE,
        ) from error


async def simulate(
    settings: SimulatorSettings,
    *,
    ready: Callable[[Sequence[Where]], None],
    clock: Clock | None = None,
) -> None:
    """Serve the simulated plant until cancelled.

    Args:
        settings: what to simulate.
        ready: told the ports, or the paths of serial ports, once every device answers.
        clock: where time comes from; default: the system's.

    Raises:
        OperatorError: a port is in use, or the log cannot be written.

    """
    clock = clock or SystemClock()
    async with AsyncExitStack() as stack:
        started_ns = clock.now().utc_ns
        ports = await stack.enter_async_context(
            served(settings, started_ns=started_ns, clock=clock)
        )
        where: list[Where] = list(ports)
        if settings.line is Line.SERIAL:
            where = [
                await stack.enter_async_context(terminal_before(settings.host, port))
                for port in ports
            ]
        ready(where)
        await asyncio.Event().wait()


@asynccontextmanager
async def served(
    settings: SimulatorSettings, *, started_ns: int, clock: Clock
) -> AsyncIterator[tuple[int, ...]]:
    """Serve the simulated plant over TCP until the end of the block; yields its ports."""
    host, port = settings.host, 0 if settings.line is Line.SERIAL else settings.port
    if settings.protocol != MODBUS:
        instruments = instruments_of(settings, started_ns=started_ns)
        serve = server_of(settings.protocol)
        async with serve(instruments, host=host, port=port, clock=clock) as ports:
            yield ports
        return
    with record_in(settings.log) as record:
        analyzers = plant_analyzers(settings, record=record, started_ns=started_ns)
        is_rtu = settings.line is not Line.TCP
        async with serving(analyzers, host=host, port=port, clock=clock, is_rtu=is_rtu) as ports:
            yield ports
