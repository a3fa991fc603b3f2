"""Asks instruments of a Bayern-Hessen line for their data: the query DA, which only reads.

An instrument does not say what it is; the ids of its gases are what the site has set.
"""

from collections.abc import Sequence

from edge_agent.config.endpoint import SERIAL, Endpoint
from edge_agent.drivers.base import ImpossibleAnswerError, LinkClosedError, LinkLostError
from edge_agent.drivers.bayern_hessen import Line
from edge_agent.technician.scanning import Answer, Outcome, Question


async def asked(questions: Sequence[Question], timeout_s: float) -> list[Answer]:
    """Return what came of questions to one line, in their order."""
    first = questions[0]
    endpoint = (
        Endpoint(scheme="tcp", host=first.host, port=first.port)
        if first.line is None
        else Endpoint(scheme=SERIAL, path=first.path, line=first.line)
    )
    line = Line(endpoint, timeout_s=timeout_s)
    found: list[Answer] = []
    try:
        await line.open()
        for question in questions:
            found.append(await _answer(line, question, timeout_s))  # noqa: PERF401 - see below
    except LinkClosedError as error:  # those who have answered have
        left = questions[len(found) :]
        found += [Answer(question=q, outcome=Outcome.CLOSED, detail=str(error)) for q in left]
    finally:
        line.close()
    return found


async def _answer(line: Line, question: Question, timeout_s: float) -> Answer:
    try:
        values = await line.ask(question.unit_id, timeout_s)
    except LinkClosedError:
        raise
    except ImpossibleAnswerError as error:
        return Answer(question=question, outcome=Outcome.OTHER, detail=str(error))
    except LinkLostError as error:
        return Answer(question=question, outcome=Outcome.SILENT, detail=str(error))
    ids = [f"{value.gas_id:03d}" for value in values if value.gas_id is not None]
    says = {"values": str(len(values)), "gas ids": " ".join(ids)}
    return Answer(question=question, outcome=Outcome.ANSWERS, says=says)
