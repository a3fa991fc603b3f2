"""Lines of keys in a TOML text, for messages only.

Loads tree-sitter, so it is imported only where there is a problem to report.
"""

import tomllib
from collections.abc import Iterator

import tree_sitter
import tree_sitter_toml

from edge_agent.config.structure import KeyPath

ARRAY_OF_TABLES = "table_array_element"
TABLES = ("table", ARRAY_OF_TABLES)


def line_of(lines: dict[KeyPath, int], path: KeyPath) -> int | None:
    """Return the line of a key, or of the innermost table around it that has a line."""
    while path:
        if path in lines:
            return lines[path]
        path = path[:-1]
    return None


def key_lines(text: str) -> dict[KeyPath, int]:
    """Return the line, from 1, of each key and list element of a well-formed TOML text."""
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_toml.language()))
    root = parser.parse(text.encode()).root_node
    lines: dict[KeyPath, int] = {}
    counts: dict[KeyPath, int] = {}
    lines.update(_pairs(root, ()))
    for node in root.named_children:
        if node.type not in TABLES:
            continue
        path = _header(_key(node.named_children[0]), counts)
        if node.type == ARRAY_OF_TABLES:
            index = counts.get(path, 0)
            counts[path] = index + 1
            lines.setdefault(path, _line(node))
            path = (*path, index)
        lines[path] = _line(node)
        lines.update(_pairs(node, path))
    return lines


def _header(keys: KeyPath, counts: dict[KeyPath, int]) -> KeyPath:
    """Return the path of a table header: a key that names an array means its last element."""
    path: KeyPath = ()
    for key in keys[:-1]:
        path = (*path, key)
        if path in counts:
            path = (*path, counts[path] - 1)
    return (*path, keys[-1])


def _pairs(node: tree_sitter.Node, path: KeyPath) -> Iterator[tuple[KeyPath, int]]:
    for pair in node.named_children:
        if pair.type != "pair":
            continue
        key, value = (part for part in pair.named_children if part.type != "comment")
        inner = (*path, *_key(key))
        for length in range(len(path) + 1, len(inner) + 1):
            yield inner[:length], _line(pair)
        yield from _values(value, inner)


def _values(value: tree_sitter.Node, path: KeyPath) -> Iterator[tuple[KeyPath, int]]:
    if value.type == "inline_table":
        yield from _pairs(value, path)
    elif value.type == "array":
        elements = [part for part in value.named_children if part.type != "comment"]
        for index, element in enumerate(elements):
            yield (*path, index), _line(element)
            yield from _values(element, (*path, index))


def _key(node: tree_sitter.Node) -> KeyPath:
    """Return the parts of a key, unquoted by the TOML reader itself."""
    path: list[str] = []
    table: object = tomllib.loads(f"{(node.text or b'').decode()} = 0")
    while isinstance(table, dict):
        ((key, table),) = table.items()
        path.append(key)
    return tuple(path)


def _line(node: tree_sitter.Node) -> int:
    return node.start_point.row + 1
