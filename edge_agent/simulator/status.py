"""Status words from what an analyzer says of itself: the profile's words, chosen backwards. Pure.

Written against the profile alone, not against the driver's decoder and the judge, so that each
finds the other's mistakes.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from edge_agent.config.status_words import Meaning, StatusProfile
from edge_agent.config.vocabulary import ClassWord, PhaseWord
from edge_agent.simulator.plant import Condition


@dataclass(frozen=True, slots=True)
class Word:
    """A way to say something: these bits of a status word become so, the others stay."""

    mask: int
    bits: int
    meaning: Meaning


def status_word(status: StatusProfile, condition: Condition) -> int:
    """Return the word that says a condition as far as the profile has words for it.

    A check that the profile has no word for is said as any function check. Where it has none, or
    has no word for a failure, the word says that all is well.
    """
    said = well(status)
    phase = PhaseWord(condition.phase)
    if phase is not PhaseWord.MEASURING:
        said = _with(said, _of_check(status, phase))
    if condition.has_failed:
        said = _with(said, _of_failure(status))
    return said


def well(status: StatusProfile) -> int:
    """Return the word that says that the analyzer measures and is good."""
    said = sum(1 << int(key, 0) for key in status.clear_bits)
    for word in _numbers(status):
        if (word.meaning.class_, word.meaning.phase) == (ClassWord.GOOD, PhaseWord.MEASURING):
            return _with(said, word)
    return said


def _of_check(status: StatusProfile, phase: PhaseWord) -> Word | None:
    words = [word for word in _words(status) if word.meaning.class_ is not ClassWord.FAILURE]
    exact = (word for word in words if word.meaning.phase is phase)
    any_check = (word for word in words if word.meaning.class_ is ClassWord.FUNCTION_CHECK)
    unknown = (w for w in words if w.meaning.phase is PhaseWord.UNKNOWN)
    return next(exact, None) or next(unknown, None) or next(any_check, None)


def _of_failure(status: StatusProfile) -> Word | None:
    words = [word for word in _words(status) if word.meaning.class_ is ClassWord.FAILURE]
    with_value = (word for word in words if word.meaning.has_value)
    return next(with_value, None) or next(iter(words), None)


def _with(said: int, word: Word | None) -> int:
    return said if word is None else said & ~word.mask | word.bits


def _words(status: StatusProfile) -> Iterator[Word]:
    """Yield every way to say something; bits first, because they take nothing else back."""
    for key, meaning in status.bits.items():
        yield Word(1 << int(key, 0), 1 << int(key, 0), meaning)
    for key, meaning in status.clear_bits.items():
        yield Word(1 << int(key, 0), 0, meaning)
    yield from _numbers(status)


def _numbers(status: StatusProfile) -> Iterator[Word]:
    first = status.enum_first_bit
    mask = (1 << status.enum_last_bit + 1) - (1 << first)
    for key, meaning in status.enum.items():
        yield Word(mask, int(key, 0) << first, meaning)
