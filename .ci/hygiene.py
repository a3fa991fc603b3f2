"""Checks of the whole tree that no other tool makes: sizes, hosts, secrets, words left behind."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

LINES_AT_MOST: Final = 300

# What must not stand in a tracked file, with the reason that is printed. The patterns are written
# so that they do not find themselves.
FORBIDDEN: Final = (
    (r"-{2}(?:extra-)?index-url [^-]|/simple[/]", "names a package index"),
    (r"-{5}BEGIN (?:[A-Z]+ )?PRIVATE KEY", "holds a private key"),
    (r"\b(?:T[O]DO|F[I]XME|X[X]X|H[A]CK)\b", "leaves work behind: open an issue instead"),
)
# A test vector publishes its seed, in hex; pins hold hashes only; neither is scanned for words.
NOT_PROSE: Final = (".txt", ".json")


def tracked() -> list[Path]:
    """Return the files that git tracks or would add."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        check=True,
        capture_output=True,
        text=True,
    )
    return [path for line in listing.stdout.splitlines() if (path := Path(line)).is_file()]


def problems(path: Path) -> Iterator[str]:
    """Yield what is wrong with one file."""
    if path.suffix in NOT_PROSE:
        return
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return  # a case of the tests that is no text on purpose, or a picture
    lines = text.splitlines()
    if path.suffix == ".py" and len(lines) > LINES_AT_MOST:
        yield f"{path}: {len(lines)} lines, at most {LINES_AT_MOST}: split it by subject"
    for number, line in enumerate(lines, start=1):
        for pattern, reason in FORBIDDEN:
            if re.search(pattern, line):
                yield f"{path}:{number}: {reason}"


def main() -> int:
    """Print every problem; return 1 if there is one."""
    found = [problem for path in tracked() for problem in problems(path)]
    for problem in found:
        print(problem)
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
