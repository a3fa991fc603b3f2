"""`edge-agent run`: the daemon, until SIGTERM or Ctrl-C; SIGHUP reads the devices again."""

import argparse
import asyncio
from collections.abc import Sequence
from pathlib import Path

from edge_agent import logs, memory
from edge_agent.buffer.faults import BufferFullError, BufferUnavailableError
from edge_agent.config.apart import Reading
from edge_agent.config.model import DEFAULT_CONFIG
from edge_agent.config.plan import Plan
from edge_agent.drivers import require_libraries
from edge_agent.errors import ExitCode, OperatorError, leaves


def main(arguments: Sequence[str]) -> int:
    """Check the configuration, then run; return the exit code."""
    parser = argparse.ArgumentParser(prog="edge-agent run", description=__doc__)
    parser.add_argument("--config", type=Path, default=DEFAULT_CONFIG, help="agent.toml")
    parser.add_argument("--log-level", choices=["debug", "info", "warning", "error"])
    known = parser.parse_args(arguments)
    overrides = {"log.level": known.log_level} if known.log_level else {}

    def reread() -> Plan:
        try:
            plan = Reading(known.config, overrides).plan()
        except RuntimeError as error:
            # What runs goes on: the reader may have been killed for its memory.
            raise OperatorError(f"{error}. Look at the agent's log, then try again") from error
        require_libraries({device.protocol for device in plan.devices})
        return plan

    memory.begin()
    reading = Reading(known.config, overrides, at_start=True)
    # The line is imported while another process reads the configuration.
    from edge_agent import agent  # noqa: PLC0415 - see the line above

    plan = reading.plan()
    require_libraries({device.protocol for device in plan.devices})
    logs.configure(plan.settings.log.level)
    running = agent.run(plan, reread, software=reading.software)
    del plan  # the agent keeps what it needs of it
    memory.settle()
    faults: list[str] = []
    try:
        asyncio.run(running)
    except* (BufferFullError, BufferUnavailableError) as group:
        faults += [str(error) for error in leaves(group)]
    if faults:
        raise OperatorError(*faults, exit_code=ExitCode.UNAVAILABLE)
    return ExitCode.OK
