"""The checker's worth is that it shares no code with the product: this is where that is proved."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FILES = sorted(HERE.rglob("*.py"))
JUDGES = {"changes", "checker", "counting", "images", "messages"}
OF_THE_CHECKER = sorted(
    [*(HERE / f"{judge}.py" for judge in JUDGES), *(HERE / "ewcheck").rglob("*.py")]
)
LIBRARIES = {"cryptography", "zstandard", "pyarrow"}
OF_TESTS = {"pytest", "hypothesis", "forge", "samples", "world"} | JUDGES
ESCAPES = {"__import__", "import_module", "exec", "eval", "run_path", "run_module"}


def imported(path: Path) -> set[str]:
    """Return the top-level names that a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: a relative import"
            names.add(str(node.module).split(".")[0])
    return names


@pytest.mark.parametrize("path", OF_THE_CHECKER, ids=lambda p: p.name)
def test_the_checker_imports_only_the_standard_library_and_three_others(path: Path) -> None:
    strangers = imported(path) - sys.stdlib_module_names - LIBRARIES - JUDGES - {"ewcheck"}
    assert strangers == set()


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_neither_do_its_tests_import_the_product(path: Path) -> None:
    strangers = imported(path) - sys.stdlib_module_names - LIBRARIES - {"ewcheck"} - OF_TESTS
    assert strangers == set()


@pytest.mark.parametrize("path", OF_THE_CHECKER, ids=lambda p: p.name)
def test_the_checker_has_no_way_to_import_by_name(path: Path) -> None:
    names = {
        getattr(node, "id", None) or getattr(node, "attr", None)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Name | ast.Attribute)
    }
    assert not names & ESCAPES


def test_the_scan_sees_an_import_of_the_product(tmp_path: Path) -> None:
    guilty = tmp_path / "guilty.py"
    guilty.write_text("def f():\n    from edge_agent.wire import header\n")
    assert imported(guilty) == {"edge_agent"}
