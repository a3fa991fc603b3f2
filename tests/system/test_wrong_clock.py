"""The daemon itself on a machine whose wall clock is wrong, and on one that has run for long.

libfaketime answers the daemon's questions for the wall clock from a file, which the test rewrites
while the daemon runs; CLOCK_BOOTTIME stays true (FAKETIME_DONT_FAKE_MONOTONIC). A time namespace
moves CLOCK_BOOTTIME and CLOCK_MONOTONIC instead. Plant and centre have the right time, and the
verdict is that of the independent checker. LIBFAKETIME names the library where it is not installed.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge_agent.wire.arrow import rows_of_stream
from edge_agent.wire.batch import open_body
from edge_agent.wire.events import Event, parse_event
from edge_agent.wire.header import Header
from edge_agent.wire.readings import ROW
from tests.system.evidence import Witness, rows
from tests.system.installation import CLOCK, Installation, pause, wait_until
from tests.system.kill import IN_FLIGHT_NS, UNCOMMITTED_NS
from tests.systemd.container import FORBIDDEN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.system.evidence import Report

S = 1_000_000_000
DAY_S = 86_400
# What the wall clock is set to while the daemon runs, seconds beside the truth.
SETTINGS_S = (0, -DAY_S, DAY_S)
LIMIT_S = 60.0
BATCHES = 2
PERIOD_S = 0.5
UPTIME_S = 400 * DAY_S
# A wall clock and a CLOCK_BOOTTIME that are read one after the other on a busy machine.
ALIKE_NS = S


def library() -> Path | None:
    """Return libfaketime, where Debian's package puts it; None where it is not installed."""
    named = os.environ.get("LIBFAKETIME")
    found = [Path(named)] if named else sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    return found[0] if found else None


def timed(uptime_s: int) -> tuple[str, ...]:
    """Return the command before a command that then runs on a machine up for so much longer."""
    return ("unshare", "-T", "--boottime", str(uptime_s), "--monotonic", str(uptime_s))


def may_not_be_timed() -> bool:
    """Return whether this machine or this user may have no time namespace."""
    if shutil.which("unshare") is None:
        return True
    return subprocess.run([*timed(1), "true"], capture_output=True, check=False).returncode != 0


LIBRARY = library()

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]


class Wall:
    """The wall clock of the gateway: so many seconds beside the truth."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "wall"
        self.off_s = 0

    def set(self, off_s: int) -> None:
        """Set it, while whoever reads it may be reading."""
        self.off_s = off_s
        written = self._file.with_suffix(".new")
        written.write_text(f"{off_s:+d}\n")
        written.replace(self._file)

    @property
    def prefix(self) -> tuple[str, ...]:
        """What stands before the command of a process that has this clock."""
        return (
            "env",
            f"LD_PRELOAD={LIBRARY}",
            f"FAKETIME_TIMESTAMP_FILE={self._file}",
            "FAKETIME_NO_CACHE=1",
            "FAKETIME_DONT_FAKE_MONOTONIC=1",
            "NO_FAKE_STAT=1",
        )


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Installation]:
    folder = tmp_path / "installation"
    folder.mkdir()
    with Installation(folder, seed=7, period_s=PERIOD_S) as made:
        yield made


def witness_of(one: Installation, *, uptime_s: int = 0) -> Witness:
    """Install everything, start the centre, and return who watches."""
    one.install(one.centre_port)
    one.start_centre()
    now = CLOCK.now()
    ahead_ns = now.utc_ns - now.mono_ns - uptime_s * S
    return Witness(one, utc_minus_boottime_ns=ahead_ns)


def more(one: Installation, witness: Witness) -> None:
    """Return once the centre has got some more batches with readings."""
    wanted = witness.at_centre() + BATCHES

    def is_so() -> bool:
        one.check_running()
        witness.look()
        return witness.at_centre() >= wanted

    wait_until("batches at the centre", is_so, limit_s=LIMIT_S)


def falls_silent(one: Installation) -> None:
    """Let no device answer for some polls: the gap must be told rightly by a wrong clock, too."""
    plant = one.running["plant"]
    plant.send_signal(signal.SIGSTOP)
    pause(2.5 * PERIOD_S)
    plant.send_signal(signal.SIGCONT)


def judged(one: Installation, witness: Witness) -> Report:
    """Let everything arrive, and return the verdict, which must be good."""
    wait_until("nothing waits", lambda: witness.unreceipted() <= 1, limit_s=LIMIT_S)
    assert one.stop("agent") == 0
    witness.look()
    report = witness.verdict()
    assert report["exit_code"] == 0, json.dumps(report, indent=1)
    assert (report["chains"], report["forks"], report["batches_declared_lost"]) == (1, 0, 0)
    assert report["polls_found"]
    assert witness.sees_damage(random.Random(1))  # noqa: S311 - chance, not a secret
    return report


def told(one: Installation) -> tuple[list[int], list[Event]]:
    """Return by how much the wall clock was beside CLOCK_BOOTTIME, and the steps of the clock.

    Of each reading at the centre in order, ns; that CLOCK_BOOTTIME never falls is seen on the way.
    """
    offsets: list[int] = []
    events: list[Event] = []
    last_ns = 0
    for header, body in rows(one.centre_file, "SELECT header, body FROM batch ORDER BY batch_no"):
        assert isinstance(header, bytes)
        assert isinstance(body, bytes)
        parts = open_body(Header.unpack(header), body)
        events += map(parse_event, parts.event_lines)
        readings = rows_of_stream(parts.readings) if parts.readings else np.zeros(0, ROW)
        for at_ns, mono_ns in zip(readings["at"].tolist(), readings["mono"].tolist(), strict=True):
            assert mono_ns >= last_ns
            last_ns = mono_ns
            offsets.append(at_ns - mono_ns)
    return offsets, [event for event in events if event.type == "clock_step"]


def settings(offsets: list[int], ahead_ns: int) -> list[int]:
    """Return the settings of a clock in order: whole seconds beside the truth."""
    found: list[int] = []
    for offset_ns in offsets:
        off_s = round((offset_ns - ahead_ns) / S)
        assert abs(offset_ns - ahead_ns - off_s * S) < ALIKE_NS // 2
        if not found or found[-1] != off_s:
            found.append(off_s)
    return found


@pytest.mark.skipif(
    LIBRARY is None, reason="NO CLOCK OF THE DAEMON WAS WRONG: no libfaketime: make system-packages"
)
def test_a_daemon_whose_clock_begins_at_1970_and_is_set_to_and_fro_loses_and_rewrites_nothing(
    one: Installation,
) -> None:
    wall = Wall(one.folder)
    one.prefixes["agent"] = wall.prefix
    witness = witness_of(one)
    ahead_ns = witness.utc_minus_boottime_ns
    assert ahead_ns is not None
    at_1970 = 60 - CLOCK.now().utc_ns // S
    wall.set(at_1970)
    one.start_agent()
    more(one, witness)
    for off_s in SETTINGS_S:
        wall.set(off_s)
        falls_silent(one)
        more(one, witness)
    assert one.stop("agent") == 0
    wall.set(at_1970)  # what the machine shows after its battery was changed
    one.start_agent()
    more(one, witness)
    assert judged(one, witness)["gaps"] >= len(SETTINGS_S) * one.device_count  # type: ignore[operator] # a count
    offsets, steps = told(one)
    # Started again it does not go back behind what it has signed.
    assert settings(offsets, ahead_ns) == [at_1970, *SETTINGS_S]
    by_s = [round((one.integer("new_ns") - one.integer("old_ns")) / S) for one in steps]
    assert by_s == [-at_1970, -DAY_S, 2 * DAY_S, DAY_S - at_1970]
    assert [one.fields["source"] for one in steps][-1] == "last_known"


@pytest.mark.skipif(may_not_be_timed(), reason=f"NO LONG UPTIME: {FORBIDDEN}")
def test_a_daemon_on_a_machine_that_has_run_for_years_loses_nothing(one: Installation) -> None:
    one.prefixes["agent"] = timed(UPTIME_S)
    witness = witness_of(one, uptime_s=UPTIME_S)
    one.start_agent()
    more(one, witness)
    at_ns = one.kill("agent")  # its buffer knows this boot, and CLOCK_BOOTTIME goes on
    witness.note_kill(at_ns - UNCOMMITTED_NS, at_ns, at_ns + IN_FLIGHT_NS)
    one.start_agent()
    more(one, witness)
    judged(one, witness)
    offsets, steps = told(one)
    assert steps == []
    assert settings(offsets, witness.utc_minus_boottime_ns or 0) == [0]
