"""Lines of keys, in every way that TOML has of writing one."""

import tomllib
from collections.abc import Iterator
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.config.location import key_lines, line_of
from edge_agent.config.structure import KeyPath

TEXT: Final = """\
# a comment
plain = 1
"quoted key".inner = [ 1, # a comment in a list
  { deep = 2 } ]
'literal' = { a = 1, b.c = 2 }

[table.'sub.table']
text = \"\"\"
over lines\"\"\"

[[list]]
n = 1
[list.inner]
m = 1
[[list.inner.again]]
[[list]]
n = 2
[[list.inner]]
m = 2
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("plain",), 2),
        (("quoted key",), 3),
        (("quoted key", "inner"), 3),
        (("quoted key", "inner", 0), 3),
        (("quoted key", "inner", 1), 4),
        (("quoted key", "inner", 1, "deep"), 4),
        (("literal", "b", "c"), 5),
        (("table", "sub.table"), 7),
        (("table", "sub.table", "text"), 8),
        (("list",), 11),
        (("list", 0), 11),
        (("list", 0, "n"), 12),
        (("list", 0, "inner", "m"), 14),
        (("list", 0, "inner", "again", 0), 15),
        (("list", 1), 16),
        (("list", 1, "n"), 17),
        (("list", 1, "inner", 0, "m"), 19),
    ],
)
def test_a_key_has_the_line_it_stands_in(path: KeyPath, line: int) -> None:
    assert key_lines(TEXT)[path] == line


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("list", 1, "missing"), 16),
        (("literal", "missing", 3, "x"), 5),
        (("missing",), None),
        ((), None),
    ],
)
def test_a_missing_key_has_the_line_of_what_it_is_missing_in(
    path: KeyPath, line: int | None
) -> None:
    assert line_of(key_lines(TEXT), path) == line


def paths(value: object, path: KeyPath = ()) -> Iterator[KeyPath]:
    """Yield the path of everything in a table, as the TOML reader of Python sees it."""
    inner: Iterator[tuple[str | int, object]] = iter(())
    if isinstance(value, dict):
        inner = iter(value.items())
    elif isinstance(value, list):
        inner = iter(enumerate(value))
    for key, one in inner:
        yield (*path, key)
        yield from paths(one, (*path, key))


def test_everything_that_python_reads_has_a_line() -> None:
    lines = key_lines(TEXT)

    # [table.'sub.table'] and [list.inner] have a line, the tables around them are nowhere written.
    assert set(paths(tomllib.loads(TEXT))) - lines.keys() <= {("table",)}


@given(names=st.lists(st.sampled_from(["a", "b", "ab"]), unique=True, max_size=3))
def test_lines_count_from_one(names: list[str]) -> None:
    text = "".join(f"{name} = 0\n" for name in names)

    assert key_lines(text) == {(name,): line for line, name in enumerate(names, 1)}
