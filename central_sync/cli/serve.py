"""`central-sync serve`: the service."""

import argparse
import asyncio
import logging
import sys

import structlog

from central_sync.app import listening_socket, opened, serve
from central_sync.cli.settings import settings_of
from central_sync.config import ExitCode


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--listen", metavar="HOST:PORT", help="where to listen; port 0: any free")
    parser.add_argument(
        "--allow-simulated", action="store_true", help="read batches of a simulated plant"
    )


def run(arguments: argparse.Namespace) -> ExitCode:
    """Serve until SIGTERM or SIGINT."""
    settings = settings_of(arguments)
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    listener = listening_socket(settings)
    with listener, opened(settings) as centre:
        centre.store.forget_refusals()
        asyncio.run(serve(centre, listener, lambda address: print(address, flush=True)))
    return ExitCode.OK
