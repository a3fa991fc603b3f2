"""`edge-agent simulate`: a plant whose true values are known, served over its real protocol.

Without --profile or --like it is the simulated stack of a protocol. With one of them it is a device
of that profile. What its documents leave open, a flag or the file says; what the site assigns is
NOx, SO2, CO, O2, CO2 in this order unless --assign says otherwise. docs/profiles.md section 11 says
what every point shows. Stops at Ctrl-C or SIGTERM.

Readings of a simulated device are no measurements: write gateway.simulated = true in agent.toml.
"""

import argparse
import asyncio
import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from edge_agent import logs
from edge_agent.config.library import Library
from edge_agent.config.model import DEFAULT_CONFIG
from edge_agent.config.vocabulary import Addressing, WordOrder
from edge_agent.errors import ExitCode, OperatorError, leaves
from edge_agent.simulator.fault import FaultRates
from edge_agent.simulator.like import device_like, profile_named, site_of
from edge_agent.simulator.plant import Scenario
from edge_agent.simulator.service import (
    MODBUS,
    SERVERS,
    Line,
    SimulatorSettings,
    Where,
    instruments_of,
    simulate,
)
from edge_agent.simulator.site import NUMBERS, Site, open_questions

SCENARIOS: Final = ", ".join(Scenario)
MOST_LINES: Final = 20


def main(arguments: Sequence[str]) -> int:
    """Serve until SIGTERM or Ctrl-C; return the exit code."""
    parser = _parser()
    known = parser.parse_args(arguments)
    logs.configure()
    try:
        settings = _settings(known)
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edge-agent simulate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--scenario",
        type=scenario,
        default=os.environ.get("CEMS_SIMULATOR_SCENARIO", "normal"),
        help=f"{SCENARIOS} (default: CEMS_SIMULATOR_SCENARIO, or normal)",
    )
    parser.add_argument(
        "--protocol",
        help=f"{MODBUS}, {', '.join(SERVERS)} (default: that of the profile, or {MODBUS})",
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
    _add_model(parser)
    return parser


def _add_model(parser: argparse.ArgumentParser) -> None:
    model = parser.add_argument_group("a device of a profile")
    one = model.add_mutually_exclusive_group()
    one.add_argument("--profile", metavar="ID", help="one of `edge-agent profiles list`")
    one.add_argument("--like", type=Path, metavar="FILE", help="be the device of a devices.d file")
    model.add_argument(
        "--config", type=Path, default=DEFAULT_CONFIG, help="profiles.d is looked for beside it"
    )
    for flag, metavar, words in (
        ("--word-order", "ORDER", WordOrder),
        ("--addressing", "COUNTING", Addressing),
    ):
        known = [str(word) for word in words if word != words.UNKNOWN]
        help_ = f"{', '.join(known)}: where the profile says unknown"
        model.add_argument(flag, choices=known, metavar=metavar, help=help_)
    model.add_argument("--unit-id", type=int, help="Modbus unit, Bayern-Hessen or DNP3 address")
    model.add_argument(
        "--assign",
        action="append",
        default=[],
        metavar="POINT=PARAMETER",
        help="what a point measures, where the profile leaves it to the site; again for each",
    )
    line = model.add_mutually_exclusive_group()
    line.add_argument("--rtu", action="store_true", help="RTU over TCP instead of Modbus TCP")
    line.add_argument(
        "--serial", action="store_true", help="a pseudo terminal for each device; says its path"
    )


def _settings(known: argparse.Namespace) -> SimulatorSettings:
    """Return what is to be simulated.

    Raises:
        ValueError: flags contradict one another.
        OperatorError: the profile or the file cannot be simulated so.

    """
    profile, line = None, Line.RTU if known.rtu else Line.SERIAL if known.serial else Line.TCP
    site = Site(
        word_order=known.word_order and WordOrder(known.word_order),
        addressing=known.addressing and Addressing(known.addressing),
        number=known.unit_id,
        parameters=dict(map(_assigned, known.assign)),
    )
    if known.like is not None:
        if site != Site():
            raise ValueError("--like: the file says everything; leave the other flags")
        device, profile = device_like(known.like, Library.beside(known.config))
        site = site_of(device)
        line = _line_of(device.endpoint) if line is Line.TCP else line
    elif known.profile is not None:
        profile = profile_named(known.profile, Library.beside(known.config))
    if profile is not None and (questions := tuple(open_questions(profile, site))):
        raise OperatorError(*questions, exit_code=ExitCode.USAGE)
    return SimulatorSettings(
        protocol=known.protocol or (MODBUS if profile is None else profile.protocol),
        scenario=known.scenario,
        seed=known.seed,
        port=known.port,
        device_count=known.devices,
        log=known.log,
        faults=FaultRates.parse(known.fault),
        profile=profile,
        site=site,
        line=line,
    )


def _line_of(endpoint: str) -> Line:
    scheme = endpoint.partition(":")[0]
    return Line(scheme) if scheme in tuple(Line) else Line.TCP


def _assigned(text: str) -> tuple[str, str]:
    point, _, parameter = text.partition("=")
    if not point or not parameter:
        raise ValueError(f"--assign {text}: write POINT=PARAMETER, such as component.3.value=CO")
    return point, parameter


def scenario(text: str) -> Scenario:
    """Return the scenario of this name, for argparse."""
    try:
        return Scenario(text)
    except ValueError as error:
        problem = f"'{text}' is no scenario; there are {SCENARIOS}"
        raise argparse.ArgumentTypeError(problem) from error


async def _until_stopped(settings: SimulatorSettings) -> None:
    def ready(where: Sequence[Where]) -> None:
        listing = ", ".join(str(one) for one in where)
        lines = [f"{settings.scenario.value}: {settings.host}, ports {listing}"]
        if settings.line is Line.SERIAL:
            lines = [f"{settings.scenario.value}: serial ports {listing}"]
        if settings.profile is not None:
            lines += _described(settings)
        print("\n".join(lines), flush=True)

    async with asyncio.TaskGroup() as group:
        serving = group.create_task(simulate(settings, ready=ready))
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, serving.cancel)


def _described(settings: SimulatorSettings) -> Iterator[str]:
    """Yield what the profile of a device leaves open, and how it is here."""
    instrument = instruments_of(settings, started_ns=0)[0]
    site = settings.site
    settled = [str(word) for word in (site.addressing, site.word_order) if word is not None]
    number = [f"number {instrument.number}"] if settings.protocol in NUMBERS else []
    yield ", ".join([instrument.profile.id, *number, *settled])
    named = [
        f"  {name}: {meaning.parameter}, {meaning.unit_of_measure}"
        for name, meaning in instrument.meanings.items()
        if instrument.is_settled_here(name)
    ]
    yield from named[:MOST_LINES]
    if len(named) > MOST_LINES:
        yield f"  and {len(named) - MOST_LINES} more"
