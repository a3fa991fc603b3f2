"""Logging, set up once: structlog for our own events, protocol libraries routed into it.

One line per event on standard error: JSON when a machine reads it, key=value on a terminal. Every
event is listed in docs/events.md. A library's log never floods ours: it has a limit per minute.
"""

import logging
import sys
import time
from typing import Final, TextIO

# Libraries that structlog and httpx import when they happen to be installed; the daemon has no
# use for them, and on a small gateway they cost memory and start-up time (docs/adr/0004).
NOT_FOR_A_DAEMON: Final = ("rich", "click", "pygments")

LIBRARY_LINES_PER_MINUTE: Final = 6
LIBRARY_LINE_LENGTH: Final = 200
WINDOW_NS: Final = 60_000_000_000


def keep_out(modules: tuple[str, ...] = NOT_FOR_A_DAEMON) -> None:
    """Make imports of optional libraries fail, before anything imports them.

    A `None` in `sys.modules` makes `import name` raise ModuleNotFoundError, which the libraries
    that would like to have them expect.
    """
    for name in modules:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type] # None is the documented way


def let_in(modules: tuple[str, ...] = NOT_FOR_A_DAEMON) -> None:
    """Undo `keep_out`, for a command that is no daemon and draws on a terminal."""
    for name in modules:
        if name in sys.modules and sys.modules[name] is None:
            del sys.modules[name]


def configure(level: str = "info", stream: TextIO | None = None) -> None:
    """Set up structlog and route the standard library's logging into it.

    Args:
        level: debug, info, warning or error.
        stream: where lines go; standard error by default.

    """
    import structlog  # noqa: PLC0415 - after keep_out(), which must run before structlog loads

    out = stream or sys.stderr
    number = logging.getLevelNamesMapping()[level.upper()]
    render = (
        structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"])
        if out.isatty()
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(out),
    )
    # pymodbus makes a dump of every frame around an ordinary time-out, whoever listens.
    logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)
    root = logging.getLogger()
    root.handlers[:] = [LibraryHandler()]
    root.setLevel(max(number, logging.WARNING))


class LibraryHandler(logging.Handler):
    """Passes on what libraries log: first line only, so many a minute and logger.

    What was held back is counted and told with the next line that passes.
    """

    def __init__(self) -> None:
        super().__init__()
        self._windows: dict[str, tuple[int, int]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Log one record of a library as `library.reported`, or count it."""
        import structlog  # noqa: PLC0415 - see configure

        now_ns = time.monotonic_ns()
        began_ns, count = self._windows.get(record.name, (now_ns, 0))
        held_back = max(0, count - LIBRARY_LINES_PER_MINUTE)
        if now_ns - began_ns > WINDOW_NS:
            began_ns, count = now_ns, 0
        self._windows[record.name] = (began_ns, count + 1)
        if count >= LIBRARY_LINES_PER_MINUTE:
            return
        line = record.getMessage().partition("\n")[0][:LIBRARY_LINE_LENGTH]
        structlog.get_logger().warning(
            "library.reported",
            library=record.name,
            level_name=record.levelname.lower(),
            line=line,
            held_back=held_back if count == 0 else 0,
        )
