"""`edge-agent scan`: who answers on a network or a serial line; shows what it asks, and asks first.

One question per address, which only reads; at most 256 of them.
"""

import argparse
import asyncio
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from edge_agent import logs
from edge_agent.config.constraint import FaultsError
from edge_agent.config.endpoint import Parity, SerialLine
from edge_agent.config.library import Library, LoadedProfile
from edge_agent.config.model import DEFAULT_CONFIG
from edge_agent.config.profile import Profile
from edge_agent.drivers import require_libraries
from edge_agent.errors import ExitCode, OperatorError
from edge_agent.technician.discovering import discovered, heard
from edge_agent.technician.presenting import aligned
from edge_agent.technician.scanning import (
    AT_ONCE,
    UNITS,
    Answer,
    Outcome,
    Question,
    matching,
    serial_questions,
    tcp_questions,
    usual_protocols,
)

ASKED_WITH: Final = {
    "modbus": "Read Device Identification (function 43/14)",
    "opcua": "GetEndpoints",
    "bayern_hessen": "the data query DA",
    "dnp3": "READ of class 0, as master 1",
}
LONGEST_S: Final = 10.0


def main(arguments: Sequence[str]) -> int:
    """Show the plan, ask, scan and list; return the exit code."""
    known = _parser().parse_args(arguments)
    logs.configure("error")
    questions = _questions(known)
    require_libraries({question.protocol for question in questions})
    if not known.json:
        print(_plan(questions, known.timeout))
    if known.dry_run:
        return ExitCode.OK
    if not known.yes and not _is_agreed(as_json=known.json):
        print("nothing was asked. Say --yes to go on without a question", file=sys.stderr)
        return ExitCode.FAILURE
    answers = asyncio.run(discovered(questions, timeout_s=known.timeout))
    profiles = _profiles(known.config)
    _refuse_a_closed_line(answers)
    if known.json:
        rows = [one.facts(_matching(one, profiles)) for one in heard(answers)]
        print(json.dumps({"asked": len(answers), "answers": rows}))
    else:
        print(_listing(answers, profiles))
    return ExitCode.OK if heard(answers) else ExitCode.UNAVAILABLE


def _questions(known: argparse.Namespace) -> tuple[Question, ...]:
    if known.medium == "tcp":
        ports = known.ports or ",".join(map(str, sorted(usual_protocols())))
        return tcp_questions(known.network, ports, unit_id=known.unit)
    try:
        line = SerialLine(
            baud=known.baud,
            parity=Parity(known.parity),
            data_bits=known.data_bits,
            stop_bits=known.stop_bits,
        )
    except FaultsError as error:
        told = [
            f"--{one.key.replace('_', '-')}: {one.message}. {one.remedy}" for one in error.faults
        ]
        raise OperatorError(*told, exit_code=ExitCode.USAGE) from error
    return serial_questions(known.port, line, known.units, protocol=known.protocol)


def _plan(questions: Sequence[Question], timeout_s: float) -> str:
    """Return exactly what is going to be asked."""
    counts = Counter((one.protocol, one.port, one.path) for one in questions)
    lines = [
        f"  {count} x {ASKED_WITH[protocol]} {f'at port {port}' if port else f'on {path}'}"
        for (protocol, port, path), count in counts.items()
    ]
    first, last = questions[0], questions[-1]
    units = f", units {first.unit_id} to {last.unit_id}" if first.path else ""
    at_once = 1 if first.path else AT_ONCE
    longest_s = -(-len(questions) // at_once) * timeout_s
    head = (
        f"questions: {len(questions)}, {first.address} to {last.address}{units}, once each, at "
        f"most {longest_s:g} s; all of them only read:"
    )
    return "\n".join([head, *lines])


def _is_agreed(*, as_json: bool) -> bool:
    if as_json or not sys.stdin.isatty():
        return False
    return input("Go on? Devices that are in use may notice. [y/N] ").strip().lower() in (
        "y",
        "yes",
    )


def _listing(answers: Sequence[Answer], profiles: Sequence[Profile]) -> str:
    lines: list[tuple[str, ...]] = [("address", "unit", "protocol", "says", "profile")]
    for one in heard(answers):
        says = "; ".join(f"{key} {text}" for key, text in one.says.items() if text) or one.detail
        matches = ", ".join(_matching(one, profiles)) or "-"
        question = one.question
        unit = str(question.unit_id) if question.protocol in UNITS else "-"
        lines.append((question.address, unit, question.protocol, says or "-", matches))
    silent = Counter(one.outcome for one in answers)
    rest = f"{silent[Outcome.SILENT]} silent, {silent[Outcome.CLOSED]} closed"
    if len(lines) == 1:
        return f"nobody answers: {rest}. Check network, power and cables"
    return f"{aligned(lines)}\n{rest}"


def _matching(answer: Answer, profiles: Sequence[Profile]) -> tuple[str, ...]:
    return matching(answer.says, answer.question.protocol, profiles)


def _profiles(config: Path) -> list[Profile]:
    """Return the profiles at hand; what is wrong with one is no matter here."""
    library = Library.beside(config)
    loaded = (library.load(name) for name in library.paths)
    return [one.profile for one in loaded if isinstance(one, LoadedProfile)]


def _refuse_a_closed_line(answers: Sequence[Answer]) -> None:
    """Say why a serial port could not be opened.

    Raises:
        OperatorError: it could not.

    """
    first = answers[0]
    if first.question.path and first.outcome is Outcome.CLOSED:
        raise OperatorError(
            f"{first.detail}. Is the port there, may this user use it (group dialout), and does "
            "the agent hold it? Then: systemctl stop edge-agent",
            exit_code=ExitCode.UNAVAILABLE,
        )


def _timeout(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.05 <= seconds <= LONGEST_S:
        raise argparse.ArgumentTypeError(f"'{text}': write 0.05 to {LONGEST_S:g}")
    return seconds


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="edge-agent scan", description=__doc__)
    media = parser.add_subparsers(dest="medium", required=True, metavar="tcp|serial")
    tcp = media.add_parser("tcp", help="hosts of a network")
    tcp.add_argument("network", help="such as 10.0.5.20 or 10.0.5.0/24")
    tcp.add_argument(
        "--ports",
        metavar="PORT[:PROTOCOL],...",
        help="such as 502,4840,5020:modbus (default: every usual one)",
    )
    tcp.add_argument(
        "--unit",
        type=int,
        choices=range(65_520),
        default=1,
        metavar="UNIT",
        help="Modbus unit, Bayern-Hessen instrument or DNP3 outstation to ask for (default: 1)",
    )
    serial = media.add_parser("serial", help="units of a serial line")
    serial.add_argument("port", help="such as /dev/ttyUSB0")
    serial.add_argument(
        "--protocol", choices=list(UNITS), default="modbus", help="default: modbus, RTU"
    )
    serial.add_argument("--baud", type=int, default=9600, help="default: 9600")
    serial.add_argument("--parity", choices=[str(one) for one in Parity], default="none")
    serial.add_argument("--data-bits", type=int, default=8, help="default: 8")
    serial.add_argument("--stop-bits", type=int, default=1, help="default: 1")
    serial.add_argument("--units", default="1-16", help="such as 1-16 or 1,5,7 (default: 1-16)")
    for medium in (tcp, serial):
        medium.add_argument(
            "--timeout", type=_timeout, default=1.0, help="seconds for each answer (default: 1)"
        )
        medium.add_argument(
            "--config", type=Path, default=DEFAULT_CONFIG, help="profiles.d is looked for beside it"
        )
        medium.add_argument("--yes", action="store_true", help="do not ask first")
        medium.add_argument("--dry-run", action="store_true", help="show what would be asked")
        medium.add_argument("--json", action="store_true", help="print facts as JSON; needs --yes")
    return parser
