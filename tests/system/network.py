"""The network campaign: the uplink of a gateway under load fails in every way that we know.

`python -m tests.system.network --count 10 --seed 1` ends with one JSON line. A partition counts
only if it befell something: a packet, an exchange or a connection; and behind each one something
new must arrive at the centre. As root agent and centre are apart, with a line of lost and corrupted
packets between them; as an ordinary user connections alone are broken. The verdict is that of the
independent checker: every committed reading is at the centre exactly once.
"""

from __future__ import annotations

import argparse
import json
import random
import secrets
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.faults.tunnel import CENTRE_ADDRESS, CLEAR, Tunnel, Way, Weather, missing
from tests.system.evidence import Witness
from tests.system.impostor import Impostor
from tests.system.installation import CLOCK, Installation, pause, wait_until
from tests.system.proxy import Mishap, Proxy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.system.evidence import Report

# What a line does between partitions, most of the time: 5 % of the packets lost, 1 % corrupted.
ROUGH: Final = Weather(loss=0.05, corruption=0.01, doubling=0.01, delay_s=0.01)
# How long a partition goes on once it has befallen something, and how long things are well then.
LASTS_S: Final = (0.0, 1.5)
WELL_S: Final = (0.0, 0.5)
# The gateway's next attempt may be minutes away after a bad run of failures.
PATIENCE_S: Final = 200.0
DRAIN_LIMIT_S: Final = 240.0


class Partition(StrEnum):
    """What a partition may be, besides a mishap of one exchange."""

    RESET = "reset"
    """Every connection is reset, and all that come."""
    IMPOSTOR = "impostor"
    """Somebody else answers in the centre's place."""
    TWO_WAY = "two_way"
    OUTWARD = "outward"
    HOMEWARD = "homeward"


PACKETS: Final = {
    Partition.TWO_WAY: frozenset(Way),
    Partition.OUTWARD: frozenset({Way.OUTWARD}),
    Partition.HOMEWARD: frozenset({Way.HOMEWARD}),
}
Kind = Mishap | Partition
CONNECTIONS: Final[tuple[Kind, ...]] = (*Mishap, Partition.RESET, Partition.IMPOSTOR)
# Lost packets are what a network does most.
APART: Final[tuple[Kind, ...]] = (*CONNECTIONS, *PACKETS, *PACKETS)


@dataclass
class Campaign:
    """One campaign under way on one installation."""

    one: Installation
    proxy: Proxy
    impostor: Impostor
    tunnel: Tunnel | None
    chance: random.Random
    befell: Counter[str] = field(default_factory=Counter)
    believed: int = 0

    def __post_init__(self) -> None:
        """Begin to watch."""
        self.witness = Witness(self.one)

    def partition(self, kind: Kind) -> None:
        """Break the uplink, heal it once that was felt, and wait until something has arrived."""
        before = self._felt(kind)
        self._begin(kind)
        self._until(f"{kind} befalls something", lambda: self._felt(kind) > before)
        if kind is Partition.IMPOSTOR:
            self._judge_belief()
        pause(self.chance.uniform(*LASTS_S))
        self._heal()
        self.befell[kind] += 1
        arrived = self.witness.at_centre()
        self._until(f"a batch after {kind}", lambda: self.witness.at_centre() > arrived)
        pause(self.chance.uniform(*WELL_S))

    def _judge_belief(self) -> None:
        """Count the impostor's receipts that the gateway took for good: with its next commit."""
        committed = self.witness.look()
        self._until("a commit", lambda: self.witness.look() > committed)
        self.believed += self.witness.believed()

    def _begin(self, kind: Kind) -> None:
        match kind:
            case Mishap():
                self.proxy.strike(kind)
            case Partition.RESET:
                self.proxy.cut()
            case Partition.IMPOSTOR:
                self._lead_to(self.impostor.port)
            case _:
                if self.tunnel is None:
                    raise RuntimeError(f"{kind} needs packets")
                self.tunnel.weather = Weather(cut=PACKETS[kind])

    def _heal(self) -> None:
        self._lead_to(self.one.centre_port)
        if self.tunnel is not None:
            self.tunnel.weather = self.chance.choice((CLEAR, ROUGH, ROUGH, ROUGH))

    def _lead_to(self, port: int) -> None:
        """Let whoever connects come to this port of the centre's end."""
        if self.proxy.target_port != port or not self.proxy.is_up:
            self.proxy.target_port = port
            self.proxy.cut()
            pause(0.05)
            self.proxy.mend()

    def _felt(self, kind: Kind) -> int:
        """Return how much such partitions have befallen so far."""
        match kind:
            case Mishap():
                return self.proxy.counts[kind]
            case Partition.RESET:
                return self.proxy.counts["down"]
            case Partition.IMPOSTOR:
                return self.impostor.forged
            case _:
                ways = PACKETS[kind]
                return sum(self.tunnel.counts[f"cut {way}"] for way in ways) if self.tunnel else 0

    def _until(self, what: str, is_so: Callable[[], bool], limit_s: float = PATIENCE_S) -> None:
        """Return once it is so; the buffer is watched all the while."""

        def look() -> bool:
            self.one.check_running()
            self.witness.look()
            return is_so()

        wait_until(what, look, limit_s=limit_s)

    def drain(self) -> None:
        """Let everything arrive, stop the agent as an operator would, and note the last batches."""
        if self.tunnel is not None:
            self.tunnel.weather = CLEAR
        self._until("nothing waits", lambda: self.witness.unreceipted() <= 1, DRAIN_LIMIT_S)
        code = self.one.stop("agent")
        self.witness.look()
        if code:
            raise RuntimeError(f"the agent stopped with code {code}")


def kinds(count: int, chance: random.Random, known: Sequence[Kind]) -> list[Kind]:
    """Return so many kinds, each as often as any other, in a random order."""
    rounds = -(-count // len(known))
    drawn = [kind for _ in range(rounds) for kind in chance.sample(known, len(known))]
    return drawn[:count]


def campaign(
    count: int, *, seed: int, folder: Path, only: Kind | None = None, is_apart: bool = True
) -> Report:
    """Run `count` partitions on a new installation; return the report.

    Args:
        count: partitions.
        seed: of the plant, of the line and of what happens when.
        folder: an empty or missing folder, kept for whoever wants to look.
        only: the one kind of partition; None: all in turn.
        is_apart: whether agent and centre are in networks of their own, where that can be.

    """
    began_ns = CLOCK.now().mono_ns
    chance = random.Random(seed)  # noqa: S311 - chance, not a secret
    with ExitStack() as stack:
        tunnel = stack.enter_context(Tunnel(seed)) if is_apart and not missing() else None
        run = _installed(stack, Installation(folder, seed=seed), tunnel, chance)
        known = (only,) if only is not None else CONNECTIONS if tunnel is None else APART
        run._until("the first batch", lambda: run.witness.at_centre() > 0)
        if tunnel is not None:
            tunnel.weather = ROUGH
        for kind in kinds(count, chance, known):
            run.partition(kind)
        run.drain()
        verdict = run.witness.verdict()
        sees_damage = run.witness.sees_damage(chance)
    return {
        "campaign": "network",
        "seed": seed,
        "count": count,
        "seconds": round((CLOCK.now().mono_ns - began_ns) / 1e9, 1),
        "befell": dict(sorted(run.befell.items())),
        "packets": dict(sorted(tunnel.counts.items())) if tunnel else None,
        "exchanges": sum(run.proxy.counts.values()),
        "receipts_forged": run.impostor.forged,
        "receipts_believed": run.believed,
        "checker_sees_damage": sees_damage,
        **verdict,
    }


def _installed(
    stack: ExitStack, one: Installation, tunnel: Tunnel | None, chance: random.Random
) -> Campaign:
    """Return a campaign on an installation whose agent and centre run."""
    one.folder.mkdir(parents=True, exist_ok=True)
    stack.enter_context(one)
    enter, host, name = None, "127.0.0.1", "127.0.0.1"
    if tunnel is not None:
        enter, host, name = tunnel.enter_centre, CENTRE_ADDRESS, "localhost"
        at_gateway = tunnel.at_gateway(one.folder / "hosts")
        one.prefixes |= {
            "plant": at_gateway,
            "agent": at_gateway,
            "centre": tunnel.at_centre(),
        }
    proxy = stack.enter_context(
        Proxy(one.centre_port, chance.randrange(1 << 31), host=host, enter=enter)
    )
    one.install(proxy.port, name)
    impostor = stack.enter_context(Impostor(one.receipt_key, enter))
    one.start_centre()
    one.start_agent()
    return Campaign(one, proxy, impostor, tunnel, chance)


def is_good(report: Report) -> bool:
    """Return whether every committed reading arrived once, and no receipt but the centre's."""
    return (
        report["exit_code"] == 0
        and report["checker_sees_damage"] is True
        and not report["receipts_believed"]
        and not report["forks"]
        and not report["batches_declared_lost"]
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one campaign; print its report as one JSON line; return 1 if it failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--seed", type=int, default=None, help="default: a new one")
    parser.add_argument("--folder", type=Path, help="kept; default: temporary")
    parser.add_argument("--only", choices=sorted({str(kind) for kind in APART}))
    parser.add_argument("--together", action="store_true", help="connections only, no packets")
    known = parser.parse_args(arguments)
    seed = secrets.randbelow(1 << 31) if known.seed is None else known.seed
    only = {str(kind): kind for kind in APART}[known.only] if known.only else None
    print(f"network: {known.count} partitions, seed {seed}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = known.folder or Path(temporary) / "installation"
        report = campaign(
            known.count, seed=seed, folder=folder, only=only, is_apart=not known.together
        )
    print(json.dumps({"is_good": is_good(report), **report}))
    return 0 if is_good(report) else 1


if __name__ == "__main__":
    sys.exit(main())
