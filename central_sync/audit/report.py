"""What the auditor found: counts, and every thing that does not hold, by name."""

from dataclasses import dataclass, field, fields
from typing import Final

FINDINGS_AT_MOST: Final = 1000
"""Later ones are only counted."""


@dataclass(slots=True)
class Counts:
    """What there was.

    Attributes:
        chains: of all gateways.
        branches: batches that a forked line left beside the main one.
        forks: numbers of a chain that two batches have.
        quarantined: batches kept as evidence, not as data.
        headstones: batches whose readings were given up.
        losses: loss events in readable batches.
        missing: numbers within the lines that the centre does not have.
        uncertain: readings in batches whose gateway did not trust its clock.
        unlogged: batches whose receipt was given before the log began.
        after_revocation: batches logged after their gateway or its key was revoked.
        bundles_missing: configurations that batches name and no gateway ever sent.
        undecoded: batches whose readings were not looked into, as asked.
        log_restarts: times the log began anew, because its store had been set back.

    """

    gateways: int = 0
    chains: int = 0
    batches: int = 0
    records: int = 0
    events: int = 0
    branches: int = 0
    forks: int = 0
    quarantined: int = 0
    headstones: int = 0
    losses: int = 0
    missing: int = 0
    uncertain: int = 0
    unlogged: int = 0
    after_revocation: int = 0
    bundles: int = 0
    bundles_missing: int = 0
    profiles: int = 0
    hourly_values: int = 0
    undecoded: int = 0
    log_size: int = 0
    log_entries: int = 0
    log_restarts: int = 0
    alarms: int = 0

    def add(self, other: "Counts") -> None:
        """Add what was counted elsewhere."""
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that does not hold: which, and why."""

    subject: str
    detail: str


@dataclass(slots=True)
class Report:
    """Everything that was found; `findings` in the order in which they were."""

    counts: Counts = field(default_factory=Counts)
    findings: list[Finding] = field(default_factory=list)
    finding_count: int = 0
    log_key: str = ""
    checkpoint: str = ""

    @property
    def is_passed(self) -> bool:
        """Whether everything holds."""
        return not self.finding_count

    def found_first(self, subject: str, detail: str) -> None:
        """Note that something does not hold, of which all that was found is a consequence."""
        self.finding_count += 1
        self.findings.insert(0, Finding(subject=subject, detail=detail))

    def found(self, subject: str, detail: str) -> None:
        """Note that something does not hold."""
        self.finding_count += 1
        if len(self.findings) < FINDINGS_AT_MOST:
            self.findings.append(Finding(subject=subject, detail=detail))
