"""What became of a configuration, as the status of the agent tells it; pure."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from edge_agent.errors import ExitCode
from edge_agent.technician.asking import Answer
from edge_agent.wire.canonical import JsonValue

NS_PER_S: Final = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """What the agent runs, and what became of the last reload; see `ConfigurationStatus`."""

    config_hash: str
    edition: str
    started_ns: int
    reloads: int
    probation_until_ns: int | None
    problems: tuple[str, ...]
    rolled_back: str
    rolled_back_why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an `apply` ended: a constant word for machines, a sentence for people."""

    word: str
    text: str
    problems: tuple[str, ...] = ()
    exit_code: ExitCode = ExitCode.OK


def in_force(status: Answer) -> InForce:
    """Return what a status says of the configuration.

    Raises:
        ValueError: it is not the status of this software.

    """
    match status:
        case {
            "agent": {"config_hash": str(config_hash), "started_ns": int(started_ns)},
            "configuration": {
                "edition": str(edition),
                "reloads": int(reloads),
                "probation_until_ns": (int() | None) as until_ns,
                "problems": list(problems),
                "rolled_back": str(rolled_back),
                "rolled_back_why": str(why),
            },
        }:
            return InForce(
                config_hash=config_hash,
                edition=edition,
                started_ns=started_ns,
                reloads=reloads,
                probation_until_ns=until_ns,
                problems=tuple(map(str, problems)),
                rolled_back=rolled_back,
                rolled_back_why=why,
            )
        case _:
            raise ValueError("the agent that runs is of another version: restart it")


def outcome_of(before: InForce, now: InForce, *, edition: str, wait: bool) -> Outcome | None:
    """Return what became of an edition; None while that is not known yet.

    Args:
        before: as it was before the reload.
        now: as it is.
        edition: what was to be applied.
        wait: whether the end of a probation is waited for.

    """
    if now.started_ns == before.started_ns and now.reloads <= before.reloads:
        return None
    failure = _failure(before, now, edition)
    if failure is not None:
        return failure
    if now.probation_until_ns is None:
        return Outcome(word="accepted", text="accepted")
    if wait:
        return None
    return Outcome(
        word="on probation",
        text=f"in force, on probation until {at_second(now.probation_until_ns)}:"
        " a good channel that goes bad brings the old one back",
    )


def _failure(before: InForce, now: InForce, edition: str) -> Outcome | None:
    """Return why an edition is not in force; None where it is."""
    if now.started_ns != before.started_ns:
        return _failed("restarted", "the agent was restarted meanwhile; look at its status")
    if now.problems:
        return Outcome(
            word="refused",
            text="\n".join(("refused by the agent:", *now.problems)),
            problems=now.problems,
            exit_code=ExitCode.CONFIGURATION,
        )
    if now.rolled_back == edition:
        return _failed("rolled back", f"rolled back: {now.rolled_back_why}")
    if now.edition != edition:
        return _failed("superseded", "the files have changed meanwhile; apply again")
    return None


def at_second(utc_ns: JsonValue) -> str:
    """Return a time as people read it; `-` where there is none."""
    if not isinstance(utc_ns, int):
        return "-"
    return f"{datetime.fromtimestamp(utc_ns // NS_PER_S, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _failed(word: str, text: str) -> Outcome:
    return Outcome(word=word, text=text, problems=(text,), exit_code=ExitCode.FAILURE)
