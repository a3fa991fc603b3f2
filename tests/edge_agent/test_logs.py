"""One line an event; libraries are passed on, and never flood."""

import io
import json
import logging
import subprocess
import sys

import pytest
import structlog

from edge_agent import logs


@pytest.fixture
def stream() -> io.StringIO:
    """Return where lines go."""
    lines = io.StringIO()
    logs.configure("info", lines)
    return lines


def test_an_event_is_one_line_of_json(stream: io.StringIO) -> None:
    structlog.get_logger().info("batch.committed", batch_no=42)
    (line,) = stream.getvalue().splitlines()
    event = json.loads(line)
    assert event["event"] == "batch.committed"
    assert event["batch_no"] == 42
    assert event["level"] == "info"


def test_what_is_below_the_level_is_not_said(stream: io.StringIO) -> None:
    structlog.get_logger().debug("batch.committed")
    assert not stream.getvalue()


def test_a_library_is_told_in_its_first_line(stream: io.StringIO) -> None:
    logging.getLogger("some.library").warning("trouble %d\nand a long dump", 7)
    event = json.loads(stream.getvalue())
    assert (event["event"], event["library"], event["line"]) == (
        "library.reported",
        "some.library",
        "trouble 7",
    )


def test_a_library_cannot_flood_the_log(stream: io.StringIO) -> None:
    for _ in range(1000):
        logging.getLogger("noisy").error("again")
    assert len(stream.getvalue().splitlines()) == logs.LIBRARY_LINES_PER_MINUTE


def test_what_is_kept_out_cannot_be_imported() -> None:
    code = (
        "from edge_agent.logs import keep_out\n"
        "keep_out()\n"
        "try:\n    import rich\n"
        "except ModuleNotFoundError:\n    print('kept out')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "kept out\n"
