"""A gateway that signs what a wrong clock shows, and knows the true time."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

import numpy as np

from edge_agent.wire.batch import Origin, Position, SignedBatch, Stamp, seal
from edge_agent.wire.bundle import config_hash
from edge_agent.wire.events import Event
from edge_agent.wire.readings import ROW, RowArray
from edge_agent.wire.vocabulary import NO_HASH, UNKNOWN_ERROR_MS, BatchFlag, ClockState, Reason
from tests.central_sync.evaluate.signing_gateway import CHAIN, TEN, SigningGateway


@dataclass
class Boot:
    """One boot: when it really began, and how far its wall clock is from the truth."""

    number: int
    began_ns: int
    wrong_ns: int
    error_ms: int | None = None


@dataclass
class LateGateway(SigningGateway):
    """Signs by the clock of its boot; `boot` is changed by a test."""

    boot: Boot = field(default_factory=lambda: Boot(number=1, began_ns=TEN, wrong_ns=-TEN))

    def scans(self, true_ns: Sequence[int], raw: int = 1000) -> RowArray:
        """Return one reading of channel 1 at each of these true times, as the clock shows them."""
        made = np.zeros(len(true_ns), dtype=ROW)
        made["scan"] = np.arange(len(true_ns))
        made["channel"], made["raw"], made["quality"] = 1, raw, Reason.JUDGED
        made["at"] = np.array(true_ns, np.int64) + self.boot.wrong_ns
        made["mono"] = np.array(true_ns, np.int64) - self.boot.began_ns
        return made

    def set_clock(self, true_ns: int, *, wrong_ns: int, error_ms: int | None) -> Event:
        """Set the clock; return the event that tells it."""
        before, boot = self.boot.wrong_ns, self.boot
        old_error_ms = boot.error_ms
        boot.wrong_ns, boot.error_ms = wrong_ns, error_ms
        return Event(
            type="clock_step",
            at_ns=true_ns + wrong_ns,
            mono_ns=true_ns - boot.began_ns,
            fields={
                "old_ns": true_ns + before,
                "new_ns": true_ns + wrong_ns,
                "source": "ntp",
                "unc_ms": UNKNOWN_ERROR_MS if error_ms is None else error_ms,
                "old_unc_ms": UNKNOWN_ERROR_MS if old_error_ms is None else old_error_ms,
            },
        )

    def sealed(self, rows: RowArray, true_ns: int, *events: Event) -> SignedBatch:
        """Return the next batch, closed at a true time."""
        boot = self.boot
        lines = [event.line for event in events]
        if self.position.batch_no == 0:
            fields = {"reason": "enrol", "previous": None}
            lines.insert(0, Event(type="continue", at_ns=0, mono_ns=0, fields=fields).line)
        made = seal(
            rows,
            lines,
            position=self.position,
            stamp=Stamp(
                boot_count=boot.number,
                boot_id=UUID(int=boot.number),
                mono_ns=true_ns - boot.began_ns,
                wall_ns=true_ns + boot.wrong_ns,
                wall_unc_ms=UNKNOWN_ERROR_MS if boot.error_ms is None else boot.error_ms,
                clock_state=ClockState.UNSET if boot.error_ms is None else ClockState.NTP,
            ),
            origin=Origin(
                gateway_id=self.gateway_id,
                config_hash=config_hash(self.bundle),
                software_hash=NO_HASH,
                key=self.key,
            ),
            flags=BatchFlag(0),
        )
        self.position = Position.after(made.header, made.batch_hash)
        return made


def fresh() -> LateGateway:
    """Return a gateway that booted at 1970 an hour before ten."""
    return LateGateway(position=Position.genesis(CHAIN))
