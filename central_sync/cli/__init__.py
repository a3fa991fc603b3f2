"""The command `central-sync`: one module per command, loaded when it is called.

A command module has `configure(parser)` and `run(arguments) -> ExitCode`. Facts go to standard
output, everything else to standard error; an OperatorError becomes its sentences and exit code.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Final

from central_sync.errors import ExitCode, OperatorError

COMMANDS: Final[Mapping[str, str]] = {
    "serve": "take uploads and answer over HTTP until stopped",
    "migrate": "make the state folder, or bring its schema up to date",
    "gateway": "let gateways in, list and revoke them",
    "fleet": "show the state of every gateway",
    "explain": "follow an hourly value back to signed bytes",
    "archive": "write signed bytes and their proofs into a folder or a tar file",
    "verify": "verify an archive, without the centre that made it",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    parser = _parser(words)
    arguments = parser.parse_args(words)
    module = import_module(f"central_sync.cli.{arguments.command}")
    try:
        return int(module.run(arguments))
    except OperatorError as fault:
        for sentence in fault.problems:
            print(f"central-sync: {sentence}", file=sys.stderr)
        return int(fault.exit_code)
    except BrokenPipeError:  # the reader of our output went away: nothing to tell it
        return int(ExitCode.OK)


def add_settings(parser: argparse.ArgumentParser, *, again: bool = False) -> None:
    """Add the arguments that every command has; `again` after an action, where both places do."""
    default = argparse.SUPPRESS if again else None
    parser.add_argument(
        "--state",
        type=Path,
        metavar="DIR",
        default=default,
        help="state folder (default: from the settings)",
    )
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        default=default,
        help="settings, TOML (default: DIR/centre.toml)",
    )


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser; only the module of the command that is called is loaded."""
    parser = argparse.ArgumentParser(
        prog="central-sync", description="The centre of EmissionWatch Edge."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, words_of_help in COMMANDS.items():
        command = commands.add_parser(name, help=words_of_help, description=words_of_help)
        add_settings(command)
        if name in words:
            import_module(f"central_sync.cli.{name}").configure(command)
    return parser
