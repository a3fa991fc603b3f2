"""Asks the questions of a scan: hosts beside one another, a host or line one after the other."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from importlib import import_module
from typing import TypeAlias, cast

from edge_agent.technician.scanning import AT_ONCE, QUESTIONS, Answer, Outcome, Question

Ask: TypeAlias = Callable[[Sequence[Question], float], Awaitable[list[Answer]]]


async def discovered(questions: Sequence[Question], *, timeout_s: float) -> tuple[Answer, ...]:
    """Return what came of every question, in their order; each is asked once."""
    groups: dict[tuple[str, str], list[Question]] = {}
    for question in questions:
        groups.setdefault((question.protocol, question.address), []).append(question)
    gate = asyncio.Semaphore(AT_ONCE)
    found: dict[Question, Answer] = {}

    async def ask(protocol: str, group: Sequence[Question]) -> None:
        async with gate:
            answers = await _question(protocol)(group, timeout_s)
        found.update(zip(group, answers, strict=True))

    async with asyncio.TaskGroup() as tasks:
        for (protocol, _), group in groups.items():
            tasks.create_task(ask(protocol, group))
    return tuple(found[question] for question in questions)


def heard(answers: Sequence[Answer]) -> tuple[Answer, ...]:
    """Return the answers of those who said anything."""
    return tuple(one for one in answers if one.outcome in (Outcome.ANSWERS, Outcome.OTHER))


def _question(protocol: str) -> Ask:
    module_name, _, name = QUESTIONS[protocol].partition(":")
    # import_module gives untyped names; a test holds every entry against Ask.
    return cast("Ask", getattr(import_module(module_name), name))
