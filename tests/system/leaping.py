"""A gateway across a leap second, through the agent's and the centre's own parts."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from uuid import UUID

import numpy as np

from central_sync.programs.channels import OpenedBatch
from central_sync.programs.detail import parse_detail
from central_sync.programs.opening import opened
from edge_agent.buffer.records import Boot
from edge_agent.buffer.store import open_buffer
from edge_agent.clock import NTP, RTC, Instant, Trust
from edge_agent.config.model import BufferSettings
from edge_agent.configured import clock_of
from edge_agent.pipeline import Intake
from edge_agent.wire.batch import Origin
from edge_agent.wire.bundle import config_hash
from edge_agent.wire.events import Event
from edge_agent.wire.frame import encode_batch
from edge_agent.wire.readings import Scan
from edge_agent.wire.vocabulary import NO_HASH, Reason
from tests.central_sync.evaluate.signing_gateway import GATEWAY, HOUR, Centre, SigningGateway
from tests.edge_agent.buffer.gateway import events_of
from tests.edge_agent.line import Calm, S, SteppedClock

# 2027-01-01T00:00:00Z: behind the second that is repeated, or left out.
MIDNIGHT: Final = 1_798_761_600 * S
BOOT: Final = Boot(boot_id=UUID(int=7))
BOOTED_BEFORE: Final = 20 * HOUR
QUARTER: Final = S // 4
REPEATED, LEFT_OUT = -S, S
LOST: Final = Trust(state=RTC, error_ms=None)


def synced(error_ms: int = 10) -> Trust:
    return Trust(state=NTP, error_ms=error_ms)


@dataclass
class Machine(SteppedClock):
    """A machine some time before the leap, its clock right; `true_ns` is UTC as the kernel counts.

    Attributes:
        ahead_ns: wall clock minus CLOCK_BOOTTIME.
        kernel: what it says of its wall clock.
        true_ns: what a right clock shows.

    """

    mono_ns: int = BOOTED_BEFORE - 5 * S
    ahead_ns: int = MIDNIGHT - BOOTED_BEFORE
    kernel: Trust = field(default_factory=synced)
    true_ns: int = MIDNIGHT - 5 * S

    def now(self) -> Instant:
        return Instant(utc_ns=self.mono_ns + self.ahead_ns, mono_ns=self.mono_ns)

    def trust(self) -> Trust:
        return self.kernel

    def passes(self, time_ns: int, *, smeared_ns: int = 0) -> None:
        """Let time pass; whoever smears lets both clocks run slower or faster (a slew)."""
        self.true_ns += time_ns
        self.mono_ns += time_ns + smeared_ns

    def leap(self, by_ns: int, *, is_told: bool = True) -> None:
        """Let UTC leap, and the clock where somebody told the kernel."""
        self.true_ns += by_ns
        self.ahead_ns += by_ns if is_told else 0


@dataclass
class Story:
    """One gateway across a leap second: what its clocks showed, and what the centre got."""

    folder: Path
    machine: Machine = field(default_factory=Machine)
    shown: list[tuple[int, int]] = field(default_factory=list)
    true_ns: list[int] = field(default_factory=list)
    told: list[Event] = field(default_factory=list)
    states: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.signing = SigningGateway()
        self.centre = Centre(self.folder / "centre", now_ns=MIDNIGHT + 2 * HOUR)
        self.centre.register(self.signing)

    async def agent_runs(self, *parts: int | Callable[[], object]) -> None:
        """Run one agent through parts of the story, then upload.

        Args:
            parts: a number is so many readings, one every quarter of a second, and a commit behind
                them; anything else happens to the machine.

        """
        path = self.folder / "buffer.db"
        origin = Origin(
            gateway_id=GATEWAY,
            config_hash=config_hash(self.signing.bundle),
            software_hash=NO_HASH,
            key=self.signing.key,
        )
        clock = await clock_of(self.machine, path, origin, BOOT.boot_id)
        async with open_buffer(
            BufferSettings(path=path), origin=origin, clock=clock, boot=BOOT
        ) as buffer:
            intake = Intake({"a": Calm()}, clock=clock, commit_interval_s=10)
            intake.clock_watch.begin(clock.held_ns)
            for part in parts:
                if not isinstance(part, int):
                    part()
                    continue
                for _ in range(part):
                    self._reads(intake, clock.now())
                    self.machine.passes(QUARTER)
                await buffer.append(intake.take())
            frames = await buffer.frames(await buffer.unreceipted(1_000))
        self.told += [one for frame in frames for one in events_of(frame)]
        request = b"".join(map(encode_batch, frames))
        assert self.centre.take_request(GATEWAY, request).refusal is None

    def _reads(self, intake: Intake, now: Instant) -> None:
        zero = np.zeros(1, np.uint32)
        scan = Scan(
            device="a",
            at_ns=now.utc_ns,
            mono_ns=now.mono_ns,
            channel=np.ones(1, np.uint32),
            raw=np.array([len(self.shown)], np.int64),
            status=zero,
            transport=zero + np.uint32(Reason.JUDGED),
        )
        self.shown.append((now.utc_ns, now.mono_ns))
        self.true_ns.append(self.machine.true_ns)
        intake.hand_over(scan)

    @property
    def steps(self) -> list[tuple[int, object, int]]:
        """Every step that was told: by how much, by whom, and how well it is known after it."""
        return [
            (
                one.integer("new_ns") - one.integer("old_ns"),
                one.fields["source"],
                one.integer("unc_ms"),
            )
            for one in self.told
            if one.type == "clock_step"
        ]

    def batches(self) -> list[OpenedBatch]:
        """Return every batch of the centre, in order; each reading is as it was signed."""
        store = self.centre.store
        while store.retime(64):
            continue
        (head,) = store.heads(GATEWAY)
        stored = [store.batch(GATEWAY, head.chain_id, no) for no in range(head.batch_no + 1)]
        self.states = [one.header.clock_state for one in stored if one is not None]
        found = [opened(one, store.around) for one in stored if one is not None]
        rows = np.concatenate([one.rows for one in found])
        assert rows["raw"].tolist() == list(range(len(self.shown)))
        assert list(zip(rows["at"].tolist(), rows["mono"].tolist(), strict=True)) == self.shown
        assert (np.diff(rows["mono"]) > 0).all()
        return found

    def check_limits(self) -> None:
        """Check that every reading's true time is within its limits."""
        times = [one.times for one in self.batches()]
        earliest = np.concatenate([one.earliest for one in times])
        latest = np.concatenate([one.latest for one in times])
        true_ns = np.array(self.true_ns)
        assert ((earliest <= true_ns) & (true_ns <= latest)).all()

    def hours(self) -> list[tuple[int, bool]]:
        """Return of the hours around midnight: how many readings, and whether they are marked."""
        self.centre.take_bundle(self.signing.bundle)
        self.centre.compute()
        found = []
        for hour_ns in (MIDNIGHT - HOUR, MIDNIGHT):
            (one,) = self.centre.store.hourly(
                facility=None, channel=1, from_ns=hour_ns, to_ns=hour_ns + HOUR
            )
            detail = parse_detail(one.value.detail)
            found.append((one.value.reading_count, detail.time_uncertain))
        return found
