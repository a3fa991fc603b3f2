"""docs/events.md lists every log event of the code, and no other."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
LEVELS = {"debug", "info", "warning", "error"}


def _events_in_code() -> dict[str, str]:
    """Return name -> level of every call `log.level("noun.past_participle", ...)`."""
    found: dict[str, str] = {}
    for package in ("edge_agent", "central_sync"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                match node:
                    case ast.Call(
                        func=ast.Attribute(attr=level), args=[ast.Constant(value=str(name)), *_]
                    ) if level in LEVELS and re.fullmatch(r"[a-z_]+(\.[a-z_]+)+", name):
                        found[name] = level
                    case _:
                        pass
    return found


def _events_in_docs() -> dict[str, str]:
    """Return name -> level of every table row of the page."""
    page = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^\| `([a-z_.]+)` \| (\w+) \|", page, flags=re.MULTILINE))


def test_every_log_event_is_in_the_catalogue_with_its_level() -> None:
    assert _events_in_docs() == _events_in_code()
