"""Records checked one by one, or in several processes: the same results in the same order.

A process has the log's entries and nothing else; what goes to it is a few records at a time, so
that memory stays small however long a line is.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import islice
from multiprocessing import get_context
from typing import Final, TypeAlias

from central_sync.audit.batch import Checked, check_batch
from central_sync.audit.facts import Facts
from central_sync.audit.log import parsed
from central_sync.proofs.archive import Record
from edge_agent.wire.refusal import RefusedError

RECORDS_AT_A_TIME: Final = 64
CHUNKS_AHEAD: Final = 2
"""For each process: enough that it never waits."""

Result: TypeAlias = Checked | RefusedError
Checks: TypeAlias = Callable[[Iterable[Record]], Iterator[tuple[Record, Result]]]
"""Yields each record with what it says, or why it does not hold."""

# What a process was started with: its facts, and whether it looks into bodies.
_here: Final[list[tuple[Facts, bool]]] = []


@contextmanager
def checking(entries: bytes, *, has_content: bool, jobs: int) -> Iterator[Checks]:
    """Yield how records are checked.

    Args:
        entries: the log's entries, which hold the keys.
        has_content: whether bodies are looked into.
        jobs: in how many processes; 1: in this one.

    Raises:
        RefusedError: the entries are not as they must be.

    """
    facts = parsed(entries).facts
    if jobs == 1:
        yield partial(_one_by_one, facts, has_content=has_content)
        return
    # A fresh interpreter: libraries here may have started threads, which a fork would not have.
    context = get_context("spawn")
    with ProcessPoolExecutor(
        jobs, mp_context=context, initializer=_begin, initargs=(entries, has_content)
    ) as pool:
        yield partial(_in_processes, pool, CHUNKS_AHEAD * jobs)


def _one_by_one(
    facts: Facts, records: Iterable[Record], *, has_content: bool
) -> Iterator[tuple[Record, Result]]:
    for record in records:
        yield record, _result(record, facts, has_content=has_content)


def _in_processes(
    pool: ProcessPoolExecutor, ahead: int, records: Iterable[Record]
) -> Iterator[tuple[Record, Result]]:
    waiting: deque[tuple[list[Record], Future[list[Result]]]] = deque()
    rest = iter(records)
    while True:
        chunk = list(islice(rest, RECORDS_AT_A_TIME))
        if chunk:
            waiting.append((chunk, pool.submit(_results, chunk)))
        while waiting and (not chunk or len(waiting) > ahead):
            done, results = waiting.popleft()
            yield from zip(done, results.result(), strict=True)
        if not chunk:
            return


def _begin(entries: bytes, has_content: bool) -> None:  # noqa: FBT001 - given by position
    """Begin a process."""
    _here.append((parsed(entries).facts, has_content))


def _results(records: list[Record]) -> list[Result]:
    ((facts, has_content),) = _here
    return [_result(record, facts, has_content=has_content) for record in records]


def _result(record: Record, facts: Facts, *, has_content: bool) -> Result:
    try:
        return check_batch(record, facts, has_content=has_content)
    except RefusedError as refused:
        return refused
