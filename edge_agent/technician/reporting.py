"""What trials of a device come to, in words for a person. Pure."""

from typing import Final

from edge_agent.technician.presenting import aligned
from edge_agent.technician.trying import Trial

SHOWN_POINTS: Final = 3


def ways_in_words(trial: Trial) -> str:
    """Return how well each way fits, the best one first, with a few of its values."""
    points = trial.subject.point_of
    told = [number for number in points if any(one.values[number] for one in trial.evidence)]
    few = told[:SHOWN_POINTS]
    lines = [("way", "plausible", "refused", "panel", *(points[number] for number in few))]
    for one in trial.evidence:
        values = ["-" if one.values[n] is None else f"{one.values[n]:.6g}" for n in few]
        shows = f"{one.panel_count} of {one.panel_count + one.missed_panel_count}"
        plausible = f"{one.plausible_count} of {one.distinct_count}"
        lines.append((str(one.way), plausible, str(one.refused_count), shows, *values))
    return aligned(lines)


def verdict(trial: Trial) -> str:
    """Return what the ways come to, and what a person has to do."""
    if trial.decided is not None:
        return (
            f"only {trial.decided} fits. Compare a value with the front panel before you write it "
            "down"
        )
    if not any(look.scans for look in trial.looks.values()):
        return "the device answers, and refuses every address: is it another model, or unit id?"
    alike = [str(way) for way in trial.alike]
    if len(alike) > 1:
        return (
            f"{' and '.join(alike)} give values within 2 % of one another. Look while the values "
            "are others, or compare every digit of a steady value with the front panel"
        )
    return (
        "more than one way fits, or none. Read a value off the front panel and give it with "
        "--panel POINT=VALUE; more --scans tell more"
    )
