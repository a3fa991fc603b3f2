"""The command `edge-agent`: finds the sub-command, runs it, turns an operator's error into words.

A sub-command's module is imported only when it is asked for, so that `status` does not pay for the
protocol libraries of `run`.
"""

import argparse
import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final, NoReturn, Protocol, cast

from edge_agent.errors import OperatorError
from edge_agent.logs import keep_out

COMMANDS: Final = {
    "run": "poll the devices, sign, keep and upload, until stopped",
    "check": "read the configuration and report every problem; needs no plant",
    "doctor": "look at this machine: clock, disk, ports, keys, the way to the centre",
    "enroll": "become a gateway of a centre, with a one-time token from there",
    "init": "make the signing key and a first configuration; keys are carried",
    "keys": "show the keys, change the signing key, renew the certificate",
    "apply": "let the running agent take the files of the configuration, on probation",
    "status": "show what the running agent does, or what its buffer holds",
    "watch": "show every channel of the running agent on a terminal, live",
    "profiles": "list, show and validate device profiles; print their schema",
    "probe": "look at a device once: raw words, values, quality, word order",
    "scan": "who answers on a network or a serial line; asks first",
    "device": "add a device beside its front panel, or confirm one",
    "opcua": "trust the certificate of an OPC UA server",
    "decommission": "send what waits, tell the centre, wipe the keys",
    "buffer": "show or verify what is stored on this gateway",
    "verify": "verify the newest batches: signatures, gaps, duplicates",
    "simulate": "serve a simulated plant whose true values are known",
    "demo": "run a simulated plant, the agent and the centre together",
}


class Command(Protocol):
    """What the module of a sub-command offers."""

    def main(self, arguments: Sequence[str]) -> int:
        """Run with the words after the sub-command; return the exit code."""
        ...


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `edge-agent` and return its exit code (`edge_agent.errors.ExitCode`)."""
    # numpy's BLAS would start a thread per core for arithmetic that nothing here asks of it.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    keep_out()
    parser = _parser()
    known = parser.parse_args(arguments)
    # Nothing that an import makes is garbage: the collector would look in vain, a hundred times.
    gc.disable()
    command = cast("Command", import_module(f"edge_agent.cli.{known.command}"))
    gc.enable()
    try:
        return command.main(known.rest)
    except OperatorError as error:
        for problem in error.problems:
            print(f"edge-agent {known.command}: {problem}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        # 128 + SIGINT: what a shell shows for a command stopped by Ctrl-C.
        return 130


class _Version(argparse.Action):
    """Looks the version up when it is asked for: that takes twelve modules."""

    def __call__(self, *_: object) -> NoReturn:
        from importlib.metadata import version  # noqa: PLC0415 - see above

        print(version("emissionwatch-edge"))
        sys.exit()


def _parser() -> argparse.ArgumentParser:
    width = max(map(len, COMMANDS))
    lines = "\n".join(f"  {name:{width}}  {says}" for name, says in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="edge-agent",
        description="Reads emission analyzers; every reading is signed before it is sent.",
        epilog=f"commands:\n{lines}\n\n`edge-agent COMMAND --help` tells more.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND")
    rest = parser.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    rest.required = False  # or it would be named in the error when the command is missing
    return parser
