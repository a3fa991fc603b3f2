"""Asks DNP3 outstations for their present values: a READ of class 0, which changes nothing.

An outstation does not say what it is, but which points it has. Many answer only the master whose
address they are set to; asked is as master 1.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from edge_agent.clock import NS_PER_S, SystemClock
from edge_agent.config.endpoint import SERIAL, Endpoint
from edge_agent.drivers.base import LinkClosedError
from edge_agent.drivers.dnp3_exchange import Asked, Exchange
from edge_agent.drivers.dnp3_link import Fragment, Link
from edge_agent.drivers.dnp3_objects import Values
from edge_agent.drivers.dnp3_reports import response_of
from edge_agent.technician.scanning import Answer, Outcome, Question

MASTER: Final = 1


async def asked(questions: Sequence[Question], timeout_s: float) -> list[Answer]:
    """Return what came of questions to one connection, in their order."""
    first, clock = questions[0], SystemClock()
    endpoint = (
        Endpoint(scheme="tcp", host=first.host, port=first.port)
        if first.line is None
        else Endpoint(scheme=SERIAL, path=first.path, line=first.line)
    )
    link = Link(endpoint, clock)
    found: list[Answer] = []
    try:
        await link.open(None, timeout_s)
        for question in questions:
            found.append(await _answer(link, question, timeout_s))  # noqa: PERF401 - see below
    except LinkClosedError as error:  # those who have answered have
        left = questions[len(found) :]
        found += [Answer(question=q, outcome=Outcome.CLOSED, detail=str(error)) for q in left]
    finally:
        await link.close()
    return found


async def _answer(link: Link, question: Question, timeout_s: float) -> Answer:
    clock = SystemClock()
    exchange = Exchange(link=link, clock=clock, address=question.unit_id, master_address=MASTER)
    exchange.ask(Asked.PRESENT, timeout_s)
    until_ns = clock.now().mono_ns + round(timeout_s * NS_PER_S)
    fragments: list[Fragment] = []
    while not (fragments and fragments[-1].is_final):
        while (fragment := exchange.next_answer()) is not None:
            fragments.append(fragment)
            exchange.confirm(fragment)
        if fragments and fragments[-1].is_final:
            break
        if link.end is not None:
            raise LinkClosedError(f"{link}: {link.end}")
        if clock.now().mono_ns >= until_ns:
            detail = f"no answer within {timeout_s:g} s"
            return Answer(question=question, outcome=Outcome.SILENT, detail=detail)
        link.changed.clear()
        await clock.wait(link.changed, until_ns)
    response = response_of(fragments)
    says = points_in(response.values)
    if response.fault or not says:
        detail = response.fault or f"no points (IIN {response.indications:04x})"
        return Answer(question=question, outcome=Outcome.OTHER, detail=detail)
    return Answer(question=question, outcome=Outcome.ANSWERS, says=says)


def points_in(values: Iterable[Values]) -> dict[str, str]:
    """Return kind -> how many points of it there are, and which is the last."""
    counts: dict[str, list[int]] = {}
    for one in values:
        counts.setdefault(one.kind.value.replace("_", " "), []).extend(one.index.tolist())
    return {kind: f"{len(found)}, up to {max(found)}" for kind, found in counts.items()}
