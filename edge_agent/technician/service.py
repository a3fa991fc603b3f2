"""The agent as a process of this machine: found by its socket, reloaded by whoever manages it."""

import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Final

from edge_agent.errors import ExitCode, OperatorError
from edge_agent.technician.asking import agent_pid

UNIT: Final = "edge-agent.service"
COMMAND_LIMIT_S: Final = 90.0
SHORT_LIMIT_S: Final = 10.0


def reload_agent(path: Path) -> str:
    """Let the agent at this socket read its files again; return how it was told.

    Raises:
        OperatorError: this user may not, or it is gone.

    """
    try:
        pid = agent_pid(path)
        # The manager listens to root; the agent's own user sends what the manager would send.
        if os.geteuid() == 0 and pid == unit_pid():
            return _by_manager()
        if pid <= 0:
            # unix(7): zero for a process that this one cannot see; kill(2): our own group.
            raise OperatorError(f"{path}: the agent runs in another container. Reload it there")
        os.kill(pid, signal.SIGHUP)
    except PermissionError as fault:
        raise OperatorError(
            f"{path}: this user may not reload the agent. Use sudo", exit_code=ExitCode.PERMISSION
        ) from fault
    except OSError as fault:
        raise OperatorError(
            f"{path}: the agent is gone: {fault}", exit_code=ExitCode.UNAVAILABLE
        ) from fault
    return f"SIGHUP to process {pid}"


def unit_facts(*names: str) -> dict[str, str]:
    """Return properties of the agent's unit; nothing where there is no service manager.

    Source: systemctl(1), `show`: a line NAME=VALUE for each property.
    """
    systemctl = shutil.which("systemctl")
    if systemctl is None:
        return {}
    try:
        told = subprocess.run(  # noqa: S603 - systemctl and constants
            (systemctl, "show", "--property", ",".join(names), UNIT),
            capture_output=True,
            text=True,
            timeout=SHORT_LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return {}
    if told.returncode:
        return {}
    pairs = (line.partition("=") for line in told.stdout.splitlines())
    return {name: value for name, _, value in pairs}


def unit_pid() -> int | None:
    """Return the main process of the agent's unit; None where it does not run as one."""
    pid = unit_facts("MainPID").get("MainPID", "")
    return int(pid) if pid.isdigit() and int(pid) else None


def _by_manager() -> str:
    command = ("systemctl", "reload", UNIT)
    try:
        done = subprocess.run(  # noqa: S603 - constants
            command, capture_output=True, text=True, timeout=COMMAND_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired as fault:
        raise OperatorError(
            f"{' '.join(command)}: no end after {COMMAND_LIMIT_S:g} s. Look at the agent's log",
            exit_code=ExitCode.TRY_AGAIN,
        ) from fault
    if done.returncode:
        raise OperatorError(
            f"{' '.join(command)}: {done.stderr.strip()}. Use sudo, or look at the agent's log",
            exit_code=ExitCode.FAILURE,
        )
    return " ".join(command)
