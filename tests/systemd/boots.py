"""The campaign of boots: an installed gateway is rebooted, cut off, hung and killed at random.

`python -m tests.systemd.boots --count 4 --seed 1` ends with one JSON line. The gateway runs in a
container under its own systemd; plant and centre run beside it, in the same network, so that their
record outlives it. A cut counts only once new readings were committed behind it within its limit.
The verdict is that of the independent checker, boot events included. Needs root.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.system.evidence import Witness, rows
from tests.system.installation import CLOCK, Installation, pause, wait_until
from tests.system.kill import UNCOMMITTED_NS
from tests.systemd.conftest import built
from tests.systemd.container import BOOT_LIMIT_S, Container, missing, root_file_system
from tests.systemd.gateway import ROOT, bring

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.system.evidence import Report

UNIT: Final = "edge-agent"
# WatchdogSec of the unit is a minute, and it waits 5 s before it starts again.
WATCHDOG_S: Final = 5
RESTART_S: Final = 1
HASTY: Final = f"[Service]\nWatchdogSec={WATCHDOG_S}\nRestartSec={RESTART_S}\n"
# From its start to the first committed reading, on a machine that does other things besides.
START_LIMIT_S: Final = 30.0
# How long a cut takes until the agent has received its last answer.
ENDING_NS: Final = 1_000_000_000
# How long the gateway works between two cuts.
LIFE_S: Final = (0.2, 3.0)
DRAIN_LIMIT_S: Final = 120.0


class Cut(StrEnum):
    """What ends the agent."""

    REBOOT = "reboot"
    POWER_OFF = "power_off"
    HANG = "hang"
    KILL = "kill"


# How long readings may fail to be committed: going down, booting, the watchdog, the start.
LIMIT_S: Final = {
    Cut.REBOOT: 2 * BOOT_LIMIT_S + START_LIMIT_S,
    Cut.POWER_OFF: BOOT_LIMIT_S + START_LIMIT_S,
    Cut.HANG: WATCHDOG_S + RESTART_S + START_LIMIT_S,
    Cut.KILL: RESTART_S + START_LIMIT_S,
}


@dataclass
class Plant(Installation):
    """A plant and a centre whose gateway is in a container."""

    root: Path = field(init=False)

    @property
    def buffer(self) -> Path:
        """The gateway's buffer file, as this machine sees it."""
        return self.root / "var/lib/edge-agent/buffer.db"


@dataclass
class Boots:
    """One campaign under way on one gateway."""

    one: Plant
    container: Container
    chance: random.Random
    longest_back_s: dict[str, float] = field(default_factory=dict)
    cuts: Counter[str] = field(default_factory=Counter)
    # What the boot events are to say: the first start is a clean one.
    clean: list[bool] = field(default_factory=lambda: [True])

    def __post_init__(self) -> None:
        """Begin to watch."""
        self.witness = Witness(self.one)

    def cycle(self, cut: Cut) -> None:
        """Let the gateway work, end it this way, and wait until it has committed again."""
        pause(self.chance.uniform(*LIFE_S))
        self.one.check_running()
        self.witness.look()
        start, began_ns = self._start(), CLOCK.now().utc_ns
        self._end(cut)
        if cut is not Cut.REBOOT:
            told_ns = began_ns if cut is Cut.POWER_OFF else CLOCK.now().utc_ns
            self.witness.note_kill(began_ns - UNCOMMITTED_NS, began_ns, told_ns + ENDING_NS)
        until_ns = began_ns + round(LIMIT_S[cut] * 1e9)
        self._until(
            f"another start after {cut}", lambda: self._start() not in {start, ""}, until_ns
        )
        # What was committed until the end was not all seen yet; it is not what is waited for.
        before = self.witness.look()
        self._until(f"readings after {cut}", lambda: self.witness.look() > before, until_ns)
        back_s = round((CLOCK.now().utc_ns - began_ns) / 1e9, 1)
        self.longest_back_s[cut] = max(back_s, self.longest_back_s.get(cut, 0.0))
        self.cuts[cut] += 1
        self.clean.append(cut is Cut.REBOOT)
        self._check_kept()

    def _until(self, what: str, is_so: Callable[[], bool], until_ns: int) -> None:
        wait_until(what, is_so, limit_s=max(0.0, (until_ns - CLOCK.now().utc_ns) / 1e9))

    def _check_kept(self) -> None:
        """Raise RuntimeError if a batch that was seen committed is not in the buffer any more."""
        kept = {named for (named,) in rows(self.one.buffer, "SELECT batch_hash FROM batch")}
        gone = self.witness.seen - kept
        if gone:
            raise RuntimeError(f"{len(gone)} committed batches have gone: {gone.pop().hex()}")

    def _end(self, cut: Cut) -> None:
        match cut:
            case Cut.REBOOT:
                self.container.reboot()
            case Cut.POWER_OFF:
                self.container.cut_power()
            case Cut.HANG:
                self._send("SIGSTOP")
            case Cut.KILL:
                self._send("SIGKILL")

    def _send(self, signal: str) -> None:
        whom = ("--kill-whom=main", f"--signal={signal}", UNIT)
        self.container.run("systemctl", "kill", *whom)

    def _start(self) -> str:
        """Return what names this start of the agent; nothing until it has said that it is ready."""
        named = ("--property=ActiveState", "--property=InvocationID")
        shown = self.container.run("systemctl", "show", *named, UNIT)
        told = dict(line.split("=", 1) for line in shown.splitlines())
        return told["InvocationID"] if told["ActiveState"] == "active" else ""

    def drain(self) -> None:
        """Let everything arrive, stop the agent as an operator would, and note the last batches."""
        wait_until("nothing waits", lambda: self.witness.unreceipted() <= 1, limit_s=DRAIN_LIMIT_S)
        self.container.run("systemctl", "stop", UNIT)
        self.witness.look()


def drawn(count: int, chance: random.Random) -> list[Cut]:
    """Return so many cuts, each as often as any other, in a random order."""
    rounds = -(-count // len(Cut))
    return [cut for _ in range(rounds) for cut in chance.sample(list(Cut), len(Cut))][:count]


@contextmanager
def network() -> Iterator[str]:
    """Name a network of its own, a loopback alone, for the length of a block."""
    name = f"emissionwatch-boots-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        yield name
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


def hand_over(one: Plant, container: Container) -> None:
    """Give an installed gateway the configuration and the key that were made outside."""
    config, state = one.root / "etc/edge-agent", one.root / "var/lib/edge-agent"
    text = one.config.read_text(encoding="utf-8")
    for file, place in (
        ("agent.sock", "/run/edge-agent"),
        ("centre-receipt.pem", "/etc/edge-agent"),
        ("", "/var/lib/edge-agent"),
    ):
        text = text.replace(f"{one.gateway}/{file}", f"{place}/{file}")
    (config / "agent.toml").write_text(text, encoding="utf-8")
    shutil.copy(one.receipt_key, config)
    for folder in ("devices.d", "profiles.d"):
        shutil.rmtree(config / folder, ignore_errors=True)
        shutil.copytree(one.gateway / folder, config / folder)
    shutil.copy(one.gateway / "gateway.key", state)
    drop_in = one.root / f"etc/systemd/system/{UNIT}.service.d/50-hasty.conf"
    drop_in.parent.mkdir(exist_ok=True)
    drop_in.write_text(HASTY, encoding="utf-8")
    owned = ("/etc/edge-agent", "/var/lib/edge-agent")
    container.run("chown", "--recursive", "edge-agent:edge-agent", *owned)
    container.run("systemctl", "daemon-reload")
    container.run("systemctl", "enable", "--now", UNIT)


def campaign(count: int, *, seed: int, folder: Path, layers: Sequence[Path]) -> Report:
    """Cut a gateway off so often; return the report.

    Args:
        count: cuts.
        seed: of the plant, and of what happens when.
        folder: an empty or missing folder, kept for whoever wants to look.
        layers: of the container's file system, the uppermost first: a Debian and the agent.

    """
    began_ns = CLOCK.now().mono_ns
    chance = random.Random(seed)  # noqa: S311 - chance, not a secret
    with ExitStack() as stack:
        space = stack.enter_context(network())
        within = ("ip", "netns", "exec", space)
        one = stack.enter_context(
            Plant(folder, seed=seed, prefixes={"plant": within, "centre": within})
        )
        one.install(one.centre_port)
        one.start_centre()
        container = stack.enter_context(
            Container(layers, folder / "container", network=Path("/run/netns") / space)
        )
        one.root = container.root
        hand_over(one, container)
        boots = Boots(one, container, chance)
        wait_until("readings", lambda: boots.witness.look() > 0, limit_s=START_LIMIT_S)
        for cut in drawn(count, chance):
            boots.cycle(cut)
        boots.drain()
        verdict = boots.witness.verdict()
        sees_damage = boots.witness.sees_damage(chance)
    return {
        "campaign": "boots",
        "seed": seed,
        "count": count,
        "seconds": round((CLOCK.now().mono_ns - began_ns) / 1e9, 1),
        "cuts": dict(sorted(boots.cuts.items())),
        "longest_back_s": dict(sorted(boots.longest_back_s.items())),
        "boot_events": len(boots.clean),
        "boot_events_wrong": verdict["boots_clean"] != boots.clean,
        "checker_sees_damage": sees_damage,
        **verdict,
    }


def is_good(report: Report) -> bool:
    """Return whether nothing was lost, twice or invented, and each start was told rightly."""
    return (
        report["exit_code"] == 0
        and report["checker_sees_damage"] is True
        and report["boot_events_wrong"] is False
        and not report["forks"]
        and not report["batches_declared_lost"]
    )


def installed(folder: Path) -> tuple[Path, ...]:
    """Return the layers of a Debian on which this tree's agent is installed, in a new folder."""
    bottom = root_file_system()
    with Container([bottom], folder / "installed") as container:
        bring(container, built(ROOT, folder / "wheelhouse"))
        container.run("sh", "/srv/this/install")
    return folder / "installed" / "changed", bottom


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one campaign; print its report as one JSON line; return 1 if it failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=4)
    parser.add_argument("--seed", type=int, default=None, help="default: a new one")
    parser.add_argument("--folder", type=Path, help="kept; default: temporary")
    known = parser.parse_args(arguments)
    seed = secrets.randbelow(1 << 31) if known.seed is None else known.seed
    print(f"boots: {known.count} cuts, seed {seed}", file=sys.stderr, flush=True)
    reason = missing()
    if reason:
        print(json.dumps({"is_good": False, "count": 0, "reason": reason}))
        return 1
    with tempfile.TemporaryDirectory() as temporary:
        folder = known.folder or Path(temporary)
        layers = installed(folder)
        report = campaign(known.count, seed=seed, folder=folder / "gateway", layers=layers)
    print(json.dumps({"is_good": is_good(report), **report}))
    return 0 if is_good(report) else 1


if __name__ == "__main__":
    sys.exit(main())
