"""Reads a device in every way that is open, and says how well each of them fits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from edge_agent.clock import Clock
from edge_agent.errors import ExitCode, OperatorError
from edge_agent.technician.candidates import Candidate, candidates
from edge_agent.technician.evidence import (
    Evidence,
    decided,
    equals,
    evidence_of,
    ranked,
    refused_everything,
)
from edge_agent.technician.looking import Look, looked, widened
from edge_agent.technician.subject import Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Every way in which a device was read.

    Attributes:
        subject: the device.
        looks: what came when it was read in a way.
        evidence: how well each way fits, the best one first.

    """

    subject: Subject
    looks: Mapping[Candidate, Look]
    evidence: tuple[Evidence, ...]

    @property
    def decided(self) -> Candidate | None:
        """The one way that is left; None where a person has to find out."""
        return decided(self.evidence) if len(self.evidence) > 1 else self.evidence[0].way

    @property
    def best(self) -> Candidate:
        """The way that fits best; others may fit as well."""
        return self.evidence[0].way

    @property
    def alike(self) -> tuple[Candidate, ...]:
        """The ways that give the same values as the best one."""
        return equals(self.evidence)


async def tried(
    subject: Subject, *, count: int, panel: Mapping[int, Decimal], clock: Clock
) -> Trial:
    """Return what a device says in every way that is open.

    Args:
        subject: the device.
        count: scans for each way of addressing; a word order needs no scan of its own.
        panel: what the front panel shows, by channel.
        clock: gives the pace.

    Raises:
        OperatorError: it cannot be reached, or says nothing in any way.

    """
    ways = candidates(subject.settings, subject.profile)
    by_addressing: dict[str | None, Look] = {}
    looks: dict[Candidate, Look] = {}
    for way in ways:
        if way.addressing not in by_addressing:
            device = subject.device(way)
            by_addressing[way.addressing] = await looked(device, count=count, clock=clock)
        looks[way] = by_addressing[way.addressing]
    if not any(look.scans or look.is_refused for look in looks.values()):
        told = sorted({fault for look in looks.values() for fault in look.faults})
        raise OperatorError(
            f"{subject.settings.endpoint}: {'; '.join(told) or 'nothing came'}. Check the unit "
            "id, the line, and whether the device is switched on",
            exit_code=ExitCode.UNAVAILABLE,
        )
    return Trial(subject=subject, looks=looks, evidence=_evidence(subject, looks, panel))


def _evidence(
    subject: Subject, looks: Mapping[Candidate, Look], panel: Mapping[int, Decimal]
) -> tuple[Evidence, ...]:
    found: Sequence[Evidence] = [
        evidence_of(way, device, whole, panel)
        if (whole := widened(look.scans, device))
        else refused_everything(way, device, panel)
        for way, look in looks.items()
        for device in (subject.device(way),)
    ]
    return ranked(found)
