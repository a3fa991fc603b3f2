"""Lives of gateways whose clocks are wrong, through the agent's and the centre's own parts.

Run as `python -m tests.system.clocks --count N --seed S`: N lives. In each the order of the
readings must be kept, every step of a clock must be told, and the true time of every reading must
lie within the limits that the centre gives it; each reading counts in one hour and in no other.
"""

import argparse
import asyncio
import json
import logging
import random
import tempfile
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final
from uuid import UUID

import numpy as np
import structlog

from edge_agent.buffer.records import Boot
from edge_agent.buffer.store import Buffer, open_buffer
from edge_agent.config.model import BufferSettings
from edge_agent.configured import clock_of
from edge_agent.gateway_clock import GatewayClock
from edge_agent.pipeline import Intake
from edge_agent.wire.batch import Origin
from edge_agent.wire.frame import FrameFlag, encode_batch
from edge_agent.wire.readings import Scan
from edge_agent.wire.receipt import Receipt
from edge_agent.wire.signing import SigningKey
from edge_agent.wire.vocabulary import NO_HASH, ClockState, Hash, Verdict
from tests.central_sync.evaluate.signing_gateway import Centre
from tests.edge_agent.line import Calm
from tests.system.clock_checks import check_all
from tests.system.clock_machine import DAY, HOUR, MINUTE, START, Machine, S

STEPS: Final = 40
BY_HAND: Final = (-DAY, DAY, -HOUR, HOUR, -3 * S, 3 * S, S // 2)
# How the sum of what can happen divides.
HAPPENINGS: Final = {
    "scan": 30,
    "idle": 6,
    "commit": 16,
    "upload": 8,
    "feed": 6,
    "starve": 4,
    "by_hand": 4,
    "restart": 4,
    "power_cut": 5,
    "long": 1,
}


@dataclass
class Life:
    """One gateway, what really happened to it, and what was found wrong."""

    centre: Centre
    folder: Path
    seed: int
    faults: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)  # noqa: S311 - a script, no secret
        self.machine = Machine(self.chance, has_rtc=self.chance.random() < 0.4)
        self.machine.boot(off_ns=0)
        self.true_ns: list[int] = []
        self.durable = 0
        self.key = SigningKey.from_seed(self.chance.randbytes(32))
        self.gateway_id = UUID(int=self.chance.getrandbits(128), version=4)
        self.origin = Origin(
            gateway_id=self.gateway_id,
            config_hash=Hash(b"c" * 32),
            software_hash=NO_HASH,
            key=self.key,
        )
        self.centre.store.add_gateway(
            self.gateway_id, facility="PLANT", name="x", public_key=self.key.public_bytes
        )
        self.is_over = False
        self.wall_before_ns = 0

    async def run(self) -> None:
        """Live: one agent after the other until the end, then look at what the centre has."""
        while not self.is_over:
            await self._one_agent()
        check_all(self)

    async def _one_agent(self) -> None:
        """Run one agent until it stops, or the power does."""
        path = self.folder / f"{self.gateway_id}.db"
        machine = self.machine
        clock = await clock_of(machine, path, self.origin, machine.boot_id)
        boot = Boot(boot_id=machine.boot_id)
        async with open_buffer(
            BufferSettings(path=path), origin=self.origin, clock=clock, boot=boot
        ) as buffer:
            intake = Intake({"a": Calm()}, clock=clock, commit_interval_s=10)
            intake.clock_watch.begin(clock.held_ns)
            self._has_begun(buffer)
            goes_on = True
            while goes_on:
                goes_on = await self._happens(buffer, intake, clock)

    async def _happens(self, buffer: Buffer, intake: Intake, clock: GatewayClock) -> bool:
        """Let one thing happen; return whether this agent goes on."""
        if sum(self.counts[kind] for kind in HAPPENINGS) >= STEPS:
            await self._ends(buffer, intake)
            return False
        kind = self.chance.choices(list(HAPPENINGS), weights=list(HAPPENINGS.values()))[0]
        self.counts[kind] += 1
        match kind:
            case "scan":
                for _ in range(self.chance.randint(1, 12)):
                    self.machine.pass_time(self.chance.randrange(S, 10 * MINUTE))
                    self._scan(intake, clock)
            case "commit" | "long":  # a batch holds minutes: what is further apart is in two
                await self._commit(buffer, intake)
            case "upload":
                await self._upload(buffer)
            case "restart" | "power_cut":
                await self._stops(kind, buffer, intake)
                return False
        self._goes_wrong(kind)
        return True

    def _goes_wrong(self, kind: str) -> None:
        """Let happen to the machine what the agent does not do."""
        machine, chance = self.machine, self.chance
        match kind:
            case "idle":
                machine.pass_time(chance.randrange(S, 3 * HOUR))
            case "long":
                machine.pass_time(chance.randrange(DAY, 400 * DAY))
            case "feed" | "starve":
                machine.is_fed = kind == "feed"
            case "by_hand":
                machine.set_by_hand(chance.choice(BY_HAND))

    async def _ends(self, buffer: Buffer, intake: Intake) -> None:
        """Let the last things come to the centre, by a clock that may be right by then."""
        self.is_over = True
        self.machine.is_fed = self.chance.random() < 0.7
        self.machine.pass_time(self.chance.randrange(S, HOUR))
        await self._commit(buffer, intake)
        await self._upload(buffer, all_of_it=True)

    async def _stops(self, kind: str, buffer: Buffer, intake: Intake) -> None:
        machine, chance = self.machine, self.chance
        if kind == "restart":
            await self._commit(buffer, intake)
            machine.pass_time(chance.randrange(S, 10 * MINUTE))
            if chance.random() < 0.3:
                machine.set_by_hand(chance.choice(BY_HAND))
        else:
            machine.boot(off_ns=chance.choice([10 * S, 10 * MINUTE, 3 * HOUR, 3 * DAY]))
            del self.true_ns[self.durable :]

    def _scan(self, intake: Intake, clock: GatewayClock) -> None:
        now = clock.now()
        number = np.array([len(self.true_ns)], np.int64)
        zero = np.zeros(1, np.uint32)
        scan = Scan(
            device="a",
            at_ns=now.utc_ns,
            mono_ns=now.mono_ns,
            channel=np.ones(1, np.uint32),
            raw=number,
            status=zero,
            transport=zero,
        )
        self.true_ns.append(self.machine.true_ns)
        intake.hand_over(scan)

    async def _commit(self, buffer: Buffer, intake: Intake) -> None:
        portion = intake.take()
        if portion.readings or portion.events:
            await buffer.append(portion)
        self.durable = len(self.true_ns)
        if buffer.head is not None:
            self.wall_before_ns = buffer.head.header.wall_ns

    async def _upload(self, buffer: Buffer, *, all_of_it: bool = False) -> None:
        """Send some of what waits, the newest first now and then."""
        waiting = await buffer.unreceipted(1_000)
        if all_of_it:
            self.centre.clock.now_ns = self.machine.true_ns
        elif self.chance.random() < 0.5:
            waiting = waiting[-1:]
        else:
            waiting = waiting[: self.chance.randint(1, 8)]
        self.centre.clock.now_ns = self.machine.true_ns
        frames = await buffer.frames(waiting)
        later = FrameFlag.BEFORE_FOLLOWS_LATER
        request = b"".join(encode_batch(replace(one, flags=one.flags | later)) for one in frames)
        outcome = self.centre.take_request(self.gateway_id, request)
        await buffer.settle([Receipt.unpack(one) for one in outcome.receipts])
        if len(outcome.receipts) != len(frames) or set(outcome.verdicts) - {Verdict.ACCEPTED}:
            self.faults.append(f"not taken: {outcome.refusal}")
        if self.chance.random() < 0.3:
            self.compute()

    def compute(self) -> Counter[int]:
        """Let the centre compute what is due; return the readings of each hour computed."""
        while self.centre.store.retime(64):
            continue
        found: Counter[int] = Counter()
        for dirty in self.centre.store.dirty_hours(100_000):
            if dirty.gateway_id == self.gateway_id:
                done = self.centre.evaluator.evaluate(dirty, now_ns=self.centre.clock.now_ns)
                found[dirty.hour_ns] = done.row_count
        return found

    def _has_begun(self, buffer: Buffer) -> None:
        """Check that no clock without a source begins before what was signed."""
        head = buffer.head
        if head is None:
            self.faults.append("an agent that began without a batch")
            return
        header = head.header
        is_alone = header.clock_state is ClockState.UNSET
        if is_alone and header.wall_ns < self.wall_before_ns:
            self.faults.append(f"began at {header.wall_ns}, before {self.wall_before_ns}")
        self.wall_before_ns = header.wall_ns


async def lives(count: int, seed: int) -> dict[str, object]:
    """Return what became of so many lives."""
    counts: Counter[str] = Counter()
    bad: list[str] = []
    with tempfile.TemporaryDirectory(dir=_memory()) as name:
        folder = Path(name)
        centre = Centre(folder / "centre", now_ns=START)
        for index in range(count):
            life = Life(centre, folder, seed * 1_000_003 + index)
            await life.run()
            counts += life.counts
            counts["readings"] += len(life.true_ns)
            bad += [f"life {life.seed}: {fault}" for fault in life.faults[:3]]
        centre.close()
    return {"bad": bad[:20], "bad_lives": len({one.split(":")[0] for one in bad}), **counts}


def _memory() -> str | None:
    """Return a folder in memory, where there is one: what a disk does is another campaign."""
    shared = Path("/dev/shm")  # noqa: S108 - made by tempfile within
    return str(shared) if shared.is_dir() else None


def main() -> int:
    """Run, and end with one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    known = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    report = asyncio.run(lives(known.count, known.seed))
    is_good = not report["bad_lives"] and bool(report["moved"])
    print(json.dumps({"count": known.count, "is_good": is_good, **report}))
    return 0 if is_good else 1


if __name__ == "__main__":
    raise SystemExit(main())
