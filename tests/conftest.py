"""Settings of all tests: no example has a deadline, and in CI nothing may be skipped."""

import logging
import os
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings

from edge_agent.buffer import disk
from tests.systemd.container import FORBIDDEN

# Time is measured in benches only.
settings.register_profile("no deadlines", deadline=None)
settings.load_profile("no deadlines")


@pytest.fixture(autouse=True)
def logging_put_back() -> Iterator[None]:
    """Leave logging as it was: commands that run in this process set it up for themselves."""
    root, found = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**found)


@pytest.fixture(autouse=True)
def small_ballast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the hundreds of buffers of these tests not take 16 MiB of the disk each."""
    monkeypatch.setattr(disk, "BALLAST_BYTES", 256 * disk.MIB // 1024)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run in CI that skipped a test: there, everything that tests need is installed.

    But a machine on which root may not have namespaces of its own cannot be helped.
    """
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = [] if reporter is None else reporter.stats.get("skipped", [])
    avoidable = [one for one in skipped if FORBIDDEN not in str(one.longrepr)]
    if os.environ.get("CI") and reporter is not None and avoidable:
        reporter.write_line("CI: a skipped test is a failure", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
