"""`edge-agent simulate`: a plant whose true values are known, served over its real protocol."""

import argparse
import asyncio
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from edge_agent import logs
from edge_agent.errors import ExitCode, OperatorError, leaves
from edge_agent.simulator.fault import FaultRates
from edge_agent.simulator.plant import Scenario
from edge_agent.simulator.service import MODBUS, SERVERS, SimulatorSettings, simulate

SCENARIOS: Final = ", ".join(Scenario)


def main(arguments: Sequence[str]) -> int:
    """Serve until SIGTERM or Ctrl-C; return the exit code."""
    parser = argparse.ArgumentParser(prog="edge-agent simulate", description=__doc__)
    parser.add_argument(
        "--scenario",
        type=scenario,
        default=os.environ.get("CEMS_SIMULATOR_SCENARIO", "normal"),
        help=f"{SCENARIOS} (default: CEMS_SIMULATOR_SCENARIO, or normal)",
    )
    parser.add_argument(
        "--protocol",
        default=MODBUS,
        help=f"{MODBUS}, {', '.join(SERVERS)} (default: {MODBUS})",
    )
    parser.add_argument("--seed", type=int, default=1, help="the same seed, the same plant")
    parser.add_argument("--port", type=int, default=5020, help="of the first device; 0: any free")
    parser.add_argument("--devices", type=int, default=1, help="how many, on ports that follow")
    parser.add_argument("--log", type=Path, help="add every answer to this file, a JSON line each")
    parser.add_argument(
        "--fault",
        default="",
        metavar="NAME=RATE,...",
        help="late, silent, busy or drop, each with the fraction of requests it befalls",
    )
    known = parser.parse_args(arguments)
    logs.configure()
    try:
        settings = SimulatorSettings(
            protocol=known.protocol,
            scenario=known.scenario,
            seed=known.seed,
            port=known.port,
            device_count=known.devices,
            log=known.log,
            faults=FaultRates.parse(known.fault),
        )
    except ValueError as error:
        parser.error(str(error))
    problems: list[str] = []
    try:
        asyncio.run(_until_stopped(settings))
    except* OperatorError as group:
        problems += [str(error) for error in leaves(group)]
    if problems:
        raise OperatorError(*problems)
    return ExitCode.OK


def scenario(text: str) -> Scenario:
    """Return the scenario of this name, for argparse."""
    try:
        return Scenario(text)
    except ValueError as error:
        problem = f"'{text}' is no scenario; there are {SCENARIOS}"
        raise argparse.ArgumentTypeError(problem) from error


async def _until_stopped(settings: SimulatorSettings) -> None:
    def ready(ports: Sequence[int]) -> None:
        listing = ", ".join(str(port) for port in ports)
        print(f"{settings.scenario.value}: {settings.host}, ports {listing}", flush=True)

    async with asyncio.TaskGroup() as group:
        serving = group.create_task(simulate(settings, ready=ready))
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, serving.cancel)
