"""`edge-agent doctor`: looks at this machine and says what would stop readings, and what mends it.

It changes nothing and asks no analyzer. The centre is connected to, and asked for nothing.
"""

import argparse
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from edge_agent.cli.colour import Colour, Paint, painter
from edge_agent.clock import NS_PER_S, SystemClock
from edge_agent.config.loading import load_plan
from edge_agent.config.model import DEFAULT_CONFIG, AgentFile
from edge_agent.config.plan import ConfigurationError, Device
from edge_agent.config.settings import read_settings
from edge_agent.errors import ExitCode, OperatorError
from edge_agent.identity import load_receipt_keys, load_signing_key
from edge_agent.technician import diagnosis, machine
from edge_agent.technician.asking import asked
from edge_agent.technician.certificate import certificate_verdict
from edge_agent.technician.reaching import uplink_verdicts
from edge_agent.technician.service import unit_facts
from edge_agent.technician.verdicts import Level, Verdict, bad, odd, ok

UNIT_FACTS: Final = (
    *("LoadState", "ActiveState", "UnitFileState", "NRestarts", "Result"),
    *("User", "PrivateDevices", "Environment"),
)
COLOURS: Final = {Level.OK: Colour.GREEN, Level.ODD: Colour.YELLOW, Level.BAD: Colour.RED}


def main(arguments: Sequence[str]) -> int:
    """Print a line for everything looked at; return 0, or 1 when something is bad."""
    parser = argparse.ArgumentParser(prog="edge-agent doctor", description=__doc__)
    parser.add_argument("--config", type=Path, default=DEFAULT_CONFIG, help="agent.toml")
    parser.add_argument("--json", action="store_true", help="print facts as JSON")
    known = parser.parse_args(arguments)
    paint, found = painter(), []
    for verdict in verdicts(known.config):
        found.append(verdict)
        if not known.json:
            print(_line(verdict, paint), flush=True)
    is_bad = any(one.level is Level.BAD for one in found)
    if known.json:
        print(json.dumps({"good": not is_bad, "found": [asdict(one) for one in found]}))
    return ExitCode.FAILURE if is_bad else ExitCode.OK


def verdicts(config: Path) -> Iterator[Verdict]:
    """Yield everything that was found, in the order of the way from the clock to the centre."""
    clock = SystemClock()
    now_s = clock.now().utc_ns / NS_PER_S
    year = datetime.fromtimestamp(now_s, UTC).year
    unit = unit_facts(*UNIT_FACTS)
    yield diagnosis.clock_verdict(clock.trust(), year=year)
    yield diagnosis.zone_verdict(machine.time_zone())
    yield from diagnosis.unit_verdicts(unit)
    settings, devices, problems = _configuration(config)
    for problem in problems:
        where, _, rest = problem.partition(": ")
        yield bad("configuration", f"{where}: {rest}", "correct the file, then: edge-agent check")
    if settings is None:
        yield odd("configuration", "not readable: disk, ports, keys and uplink not looked at")
        return
    if not problems:
        yield ok("configuration", f"{len(devices)} devices, good")
    yield from _local(settings, devices, unit)
    yield from uplink_verdicts(settings.centre.url, settings.centre.ca_file, now_s=now_s)
    yield diagnosis.proxy_verdict({**os.environ, **diagnosis.environment_of(unit)})


def _configuration(
    config: Path,
) -> tuple[AgentFile | None, Sequence[Device], Sequence[str]]:
    """Return settings and devices as far as they can be read, and every problem."""
    try:
        plan = load_plan(config, environ=os.environ, overrides={})
    except ConfigurationError as error:
        written = read_settings(config, environ=os.environ, overrides={})
        return written.agent, (), error.problems
    return plan.settings, plan.devices, ()


def _local(
    settings: AgentFile, devices: Sequence[Device], unit: dict[str, str]
) -> Iterator[Verdict]:
    buffer = settings.buffer
    disk = machine.disk_of(buffer.path)
    if disk is None:
        fix = f"mkdir -p {buffer.path.parent}, owned by the agent's user; or use sudo"
        yield bad("disk", f"nothing is known of {buffer.path.parent}", fix)
    else:
        yield from diagnosis.disk_verdicts(disk, quota_mb=buffer.quota_mb)
    user, folder = machine.agent_user(unit.get("User", "")), buffer.path.parent
    if not machine.may_use(folder, user):
        yield bad("disk", f"{user} may not write in {folder}", f"chown {user} {folder}")
    paths = [device.endpoint.path for device in devices if device.endpoint.line is not None]
    ports = machine.serial_ports(paths, user=user)
    yield from diagnosis.port_verdicts(ports, user=user, unit=unit)
    yield from _keys(settings, user)
    yield _agent(settings.health.socket)


def _keys(settings: AgentFile, user: str) -> Iterator[Verdict]:
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    gateway, centre = settings.gateway, settings.centre
    owner = machine.owner_of(gateway.key_file)
    fix = f"chown {user} {gateway.key_file} && chmod 600 {gateway.key_file}"
    if not owner:
        fix = "edge-agent init makes one for a new gateway; run doctor with sudo to see all files"
    try:
        load_signing_key(gateway.key_file, credentials=Path(folder) if folder else None)
        if owner == user or folder:
            yield ok("keys", f"{gateway.key_file} is a signing key, and {user}'s alone")
        else:
            yield bad("keys", f"{gateway.key_file} is {owner}'s, the agent is {user}", fix)
    except OperatorError as error:
        yield bad("keys", str(error), fix)
    try:
        count = len(load_receipt_keys(centre.receipt_key_file))
        yield ok("keys", f"{centre.receipt_key_file} holds {count} receipt key")
    except OperatorError as error:
        yield bad("keys", str(error), "ask the central team for the file of the receipt key")
    if centre.url.startswith("https:"):
        now_s = SystemClock().now().utc_ns / NS_PER_S
        yield certificate_verdict(centre.certificate_file, now_s=now_s)


def _agent(path: Path | None) -> Verdict:
    try:
        status = asked(path)
    except OperatorError as error:
        return bad("agent", str(error), "usermod -aG edge-agent YOU and log in again, or use sudo")
    if status is None:
        return odd("agent", "does not run", "systemctl start edge-agent, or edge-agent run")
    raised = status.get("alarms")
    alarms = raised if isinstance(raised, list) else []
    reasons = [str(one["reason"]) for one in alarms if isinstance(one, dict)]
    if reasons:
        return odd("agent", f"runs, with alarms: {', '.join(reasons)}", "edge-agent status")
    return ok("agent", "runs, without an alarm")


def _line(verdict: Verdict, paint: Paint) -> str:
    word = paint(f"{verdict.level.upper():4}", COLOURS[verdict.level])
    line = f"{word} {verdict.subject:13} {verdict.says}"
    return f"{line}\n{'':18} fix: {verdict.fix}" if verdict.fix else line
