"""The technician at the terminal, who is asked what no flag has said."""

from typing import Protocol

from edge_agent.errors import ExitCode, OperatorError


class Person(Protocol):
    """Who can be told and asked."""

    @property
    def is_there(self) -> bool:
        """Whether there is anybody to ask."""
        ...

    def tell(self, text: str) -> None:
        """Show a text."""
        ...

    def ask(self, question: str) -> str:
        """Return the answer to a question, without blanks around it."""
        ...


def answer(person: Person, question: str, *, flag: str, default: str = "") -> str:
    """Return what a person says, never nothing.

    Raises:
        OperatorError: nobody is there, or nothing was said.

    """
    if not person.is_there:
        raise OperatorError(
            f"nobody is at a terminal to be asked: {question} Say it with {flag}",
            exit_code=ExitCode.USAGE,
        )
    shown = f"{question} [{default}] " if default else f"{question} "
    said = person.ask(shown) or default
    if not said:
        raise OperatorError(f"stopped: no answer to: {question} Nothing was written")
    return said


def agrees(person: Person, question: str) -> bool:
    """Return whether a person says yes; nobody does not."""
    return person.is_there and person.ask(f"{question} [y/N] ").lower() in ("y", "yes")
