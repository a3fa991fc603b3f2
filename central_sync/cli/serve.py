"""`central-sync serve`: the service."""

import argparse
import asyncio
import logging
import sys

import structlog
import uvloop

from central_sync import memory
from central_sync.app import opened, serve
from central_sync.cli.settings import settings_of
from central_sync.config import ExitCode
from central_sync.listening import listening_socket


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--listen", metavar="HOST:PORT", help="where to listen; port 0: any free")
    parser.add_argument(
        "--allow-simulated", action="store_true", help="read batches of a simulated plant"
    )


def run(arguments: argparse.Namespace) -> ExitCode:
    """Serve until SIGTERM or SIGINT."""
    memory.begin()
    settings = settings_of(arguments)
    _configure_logs(settings.log_level)
    listener = listening_socket(settings)
    with listener, opened(settings, may_restart_log=True) as centre:
        centre.store.forget_refusals()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(centre, listener, lambda address: print(address, flush=True)))
    return ExitCode.OK


def _configure_logs(level: str) -> None:
    """Log to standard error: JSON for machines, key=value on a terminal."""
    on_terminal = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"])
            if on_terminal
            else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
