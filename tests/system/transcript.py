"""Terminal transcripts in a page of docs: replayed against real processes, and recorded from them.

A block of `console` holds commands behind `$ ` and what they print. Replaying runs each in a pseudo
terminal, in one folder, and compares line by line; what differs from run to run (numbers, hashes,
times) is masked. Where a command waits at a prompt, the rest of the page's line is typed. A command
with `&` at its end goes on beside the others until the end.

    python -m tests.system.transcript docs/field-guide.md    # write down what it prints now
"""

import os
import pty
import re
import select
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from edge_agent.clock import NS_PER_S, SystemClock

ROOT: Final = Path(__file__).parents[2]
OPENING, CLOSING, PROMPT = "```console", "```", "$ "
LIMIT_S: Final = 60.0
# A command that is asked again while it does not say what the page says: the world takes its time.
AGAIN: Final = re.compile(r"edge-agent (doctor|status|verify|watch)|central-sync fleet")
# Output that ends without a line's end for so long is a prompt.
QUIET_S: Final = 0.3
MASKS: Final = (
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "UUID"),
    (re.compile(r"\b[0-9a-f]{16,}\b"), "HASH"),
    (re.compile(r"(?m)^[A-Za-z0-9+/]{40,}=*$"), "KEY"),
    (re.compile(r"\b\d{4}-\d\d-\d\dT[0-9:.]+(Z|\+00:00)"), "TIME"),
    (re.compile(r"\b[0-9A-F]{4}( [0-9A-F]{4})*\b"), "WORDS"),
    (re.compile(r"-?\d+(\.\d+)?(e[+-]?\d+)?"), "N"),
    (re.compile(r"[ \t]+"), " "),
)
CLOCK: Final = SystemClock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One command of a page, and what it prints there; `line` counts from 0."""

    command: str
    printed: tuple[str, ...]
    line: int

    @property
    def is_beside(self) -> bool:
        """Whether it goes on beside the others."""
        return self.command.endswith("&")


def steps_of(page: str) -> Iterator[Step]:
    """Yield the commands of a page."""
    command, at, is_in = "", 0, False
    printed: list[str] = []
    for number, line in enumerate(page.splitlines()):
        if is_in and (line.startswith(PROMPT) or line == CLOSING) and command:
            yield Step(command=command, printed=tuple(printed), line=at)
            command, printed = "", []
        if line in (OPENING, CLOSING):
            is_in = line == OPENING
        elif is_in and line.startswith(PROMPT):
            command, at = line.removeprefix(PROMPT), number
        elif is_in:
            printed.append(line)


def masked(line: str) -> str:
    """Return a line without what differs from run to run."""
    for pattern, word in MASKS:
        line = pattern.sub(word, line)
    return line.strip()


def same(printed: Sequence[str], expected: Sequence[str]) -> bool:
    """Return whether two outputs are the same; a line of dots stands for any lines."""
    lines, wanted = list(map(masked, printed)), list(map(masked, expected))
    if "..." in wanted:
        at = wanted.index("...")
        tail = wanted[at + 1 :]
        return (
            len(lines) >= at + len(tail)
            and lines[:at] == wanted[:at]
            and (not tail or lines[-len(tail) :] == tail)
        )
    return lines == wanted


@dataclass
class Session:
    """A folder in which the commands of a page run, with ports of its own."""

    folder: Path
    ports: dict[str, str] = field(default_factory=dict)
    beside: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __enter__(self) -> Self:
        """Make the commands of the product, as they are when it is installed."""
        for name, module in (("edge-agent", "edge_agent"), ("central-sync", "central_sync")):
            path = self.folder / "bin" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(f'#!/bin/sh\nexec {sys.executable} -m {module} "$@"\n')
            path.chmod(0o755)
        return self

    def __exit__(self, *_: object) -> None:
        """End what still runs, the last one first."""
        for process in reversed(self.beside):
            process.terminate()
            try:
                process.wait(LIMIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()

    def printed(self, step: Step) -> list[str]:
        """Run a command; return what it printed, prompts and answers among it."""
        if step.is_beside:
            return self._started(step)
        until_ns = CLOCK.now().mono_ns + round(LIMIT_S * NS_PER_S)
        while True:
            lines = self._run(step)
            is_late = CLOCK.now().mono_ns > until_ns
            if is_late or not AGAIN.search(step.command) or same(lines, step.printed):
                return lines

    def _run(self, step: Step) -> list[str]:
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            ("/bin/sh", "-c", self._here(step.command)),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=self.folder,
            env=self._environment(),
            start_new_session=True,
        )
        os.close(theirs)
        try:
            text = self._conversation(ours, step)
            process.wait(LIMIT_S)
        finally:
            process.kill()
            process.wait()
            os.close(ours)
        return self._there(text)

    def _conversation(self, terminal: int, step: Step) -> str:
        text = ""
        answers = 0
        until_ns = CLOCK.now().mono_ns + round(LIMIT_S * NS_PER_S)
        while CLOCK.now().mono_ns < until_ns:
            ready, _, _ = select.select([terminal], [], [], QUIET_S)
            if ready:
                try:
                    octets = os.read(terminal, 65_536)
                except OSError:  # the other end is closed: EIO, pty(7)
                    return text
                if not octets:
                    return text
                text += octets.decode()
                continue
            waiting = text.rpartition("\n")[2]
            if waiting and answers < len(step.printed):
                answers += 1
                said = self._here(_answer(waiting, text, step))
                os.write(terminal, f"{said}\n".encode())
        raise TimeoutError(f"{step.command}: not over within {LIMIT_S:g} s, after\n{text}")

    def _started(self, step: Step) -> list[str]:
        """Start a command beside the others; return its first lines, as many as the page has."""
        with (self.folder / "beside.log").open("ab") as log:
            process = subprocess.Popen(
                ("/bin/sh", "-c", f"exec {self._here(step.command).removesuffix('&')}"),
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=self.folder,
                env=self._environment(),
                start_new_session=True,
            )
        self.beside.append(process)
        assert process.stdout is not None
        lines = [process.stdout.readline().decode() for _ in step.printed]
        return self._there("".join(lines))

    def _here(self, text: str) -> str:
        """Return a command with ports that are free here."""
        for port in re.findall(r"(?<=[:= ])(5020|8080)\b", text):
            self.ports.setdefault(port, str(_free_port()))
        for port, free in self.ports.items():
            text = re.sub(rf"(?<=[:= ]){port}\b", free, text)
        return text

    def _there(self, text: str) -> list[str]:
        """Return what was printed, with the ports and the folder of the page."""
        for port, free in self.ports.items():
            text = re.sub(rf"\b{free}\b", port, text)
        text = text.replace(f"{self.folder}/", "/home/tech/")
        return [line.rstrip() for line in text.replace("\r", "").splitlines()]

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "NO_COLOR": "1",
            "UPLOAD_INTERVAL": "2s",  # the page waits a minute here; a test need not
            "COLUMNS": "200",
            "TERM": "dumb",
        }


def _answer(waiting: str, text: str, step: Step) -> str:
    """Return what the page types at a prompt; POINT=VALUE with the value that is shown now."""
    for line in step.printed:
        if line.startswith(waiting.strip()):
            answer = line[len(waiting.strip()) :].strip()
            point, _, value = answer.partition("=")
            if not value:
                return answer
            words = r"[0-9A-F]{4}(?: [0-9A-F]{4})*"
            shown = re.findall(rf" {re.escape(point)} +{words} +(-?[\d.]+) ", text)
            return f"{point}={shown[-1]}"
    raise AssertionError(f"{step.command}: the page has no answer to: {waiting}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


def recorded(page: str) -> str:
    """Return a page with what its commands print now."""
    lines = page.splitlines()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="transcript-")))
        session = stack.enter_context(Session(folder))
        shift = 0
        for step in steps_of(page):
            printed = session.printed(step)
            if "..." not in step.printed:
                start = step.line + shift + 1
                lines[start : start + len(step.printed)] = printed
                shift += len(printed) - len(step.printed)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE = Path(sys.argv[1])
    PAGE.write_text(recorded(PAGE.read_text()))
