"""The simulated plant as a whole: what is asked for, and the serving of it until it is stopped."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Final, Protocol, cast

from edge_agent.clock import Clock, SystemClock
from edge_agent.config.protocols.modbus_profile import ModbusProfile
from edge_agent.errors import ExitCode, OperatorError
from edge_agent.simulator.analyzer import Analyzer
from edge_agent.simulator.fault import FaultRates
from edge_agent.simulator.modbus import serving
from edge_agent.simulator.plant import Plant, Scenario
from edge_agent.simulator.record import Record, record_in
from edge_agent.simulator.shipped import shipped

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


class Serve(Protocol):
    """Serves plants until the end of the block; yields its ports."""

    def __call__(
        self, plants: Sequence[Plant], *, host: str, port: int, clock: Clock
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

    """

    scenario: Scenario = Scenario.NORMAL
    seed: int = 1
    port: int = 5020
    device_count: int = 1
    log: Path | None = None
    faults: FaultRates = field(default_factory=FaultRates)
    host: str = "127.0.0.1"
    protocol: str = MODBUS

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


def simulated_profile() -> ModbusProfile:
    """Return the profile that the plant's devices are made from, as it is shipped."""
    profile = shipped(PROFILE)
    if not isinstance(profile, ModbusProfile):
        raise TypeError(f"the shipped profile {PROFILE} is of {profile.protocol}")
    return profile


def plants_of(settings: SimulatorSettings, *, started_ns: int) -> tuple[Plant, ...]:
    """Return the plants, each a stack with a seed of its own."""
    return tuple(
        Plant(
            # The seeds of one plant must not meet those of the plant with the next seed.
            seed=settings.seed * MAX_DEVICES + index,
            scenario=settings.scenario,
            started_ns=started_ns,
        )
        for index in range(settings.device_count)
    )


def plant_analyzers(
    settings: SimulatorSettings, *, record: Record, started_ns: int
) -> tuple[Analyzer, ...]:
    """Return the analyzers of a plant, one at each stack."""
    profile = simulated_profile()
    return tuple(
        Analyzer(
            name=f"stack-{number}",
            unit=1,
            plant=plant,
            profile=profile,
            faults=settings.faults,
            record=record,
        )
        for number, plant in enumerate(plants_of(settings, started_ns=started_ns), 1)
    )


def server_of(protocol: str) -> Serve:
    """Return what serves plants over a protocol that is not Modbus, importing its module.

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
    ready: Callable[[Sequence[int]], None],
    clock: Clock | None = None,
) -> None:
    """Serve the simulated plant until cancelled.

    Args:
        settings: what to simulate.
        ready: told the ports once every device answers.
        clock: where time comes from; default: the system's.

    Raises:
        OperatorError: a port is in use, or the log cannot be written.

    """
    clock = clock or SystemClock()
    started_ns = clock.now().utc_ns
    if settings.protocol != MODBUS:
        plants = plants_of(settings, started_ns=started_ns)
        serve = server_of(settings.protocol)
        async with serve(plants, host=settings.host, port=settings.port, clock=clock) as ports:
            ready(ports)
            await asyncio.Event().wait()
    with record_in(settings.log) as record:
        analyzers = plant_analyzers(settings, record=record, started_ns=started_ns)
        served = serving(analyzers, host=settings.host, port=settings.port, clock=clock)
        async with served as ports:
            ready(ports)
            await asyncio.Event().wait()
