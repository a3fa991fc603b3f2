"""Makes the JSON Schemas for editors out of the settings dataclasses, by pydantic.

Run from the root of the repository to write them: `python tests/edge_agent/config/make_schemas.py`.
pydantic is a development tool here: the agent never imports it.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Final, TypeAlias, get_args, get_type_hints

from pydantic import TypeAdapter

import edge_agent.config
from edge_agent.config.constraint import Matching, Within, constraints_of
from edge_agent.config.device_model import DeviceSettings
from edge_agent.config.model import AgentFile
from edge_agent.config.protocols.registry import DEFAULT_PROTOCOL, PROFILE_KINDS, profile_kind

Schema: TypeAlias = "dict[str, Schema] | list[Schema] | str | int | float | bool | None"

FOLDER: Final = Path(edge_agent.config.__file__).parent
ROOTS: Final[dict[str, type]] = {"agent": AgentFile, "device": DeviceSettings}
PROFILES: Final = "profile"


def schema_text(name: str) -> str:
    """Return the JSON Schema of one kind of file, as committed."""
    schema = _profiles() if name == PROFILES else _described(ROOTS[name])
    ordered = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"EmissionWatch Edge: {name} file",
        **{key: value for key, value in schema.items() if key != "title"},
    }
    return json.dumps(ordered, indent=2, ensure_ascii=False) + "\n"


def _described(root: type) -> dict[str, Schema]:
    schema: dict[str, Schema] = TypeAdapter(root).json_schema(mode="validation")
    classes = {found.__name__: found for found in _dataclasses(root)}
    inner = schema.get("$defs", {})
    assert isinstance(inner, dict)
    for title, definition in [(root.__name__, schema), *inner.items()]:
        if title in classes:
            assert isinstance(definition, dict)
            _describe(definition, classes[title])
    return schema


def _profiles() -> dict[str, Schema]:
    """Return the schema of all kinds of profile: `protocol` says which one a file is held to."""
    definitions: dict[str, Schema] = {}
    branches: list[Schema] = []
    for protocol in PROFILE_KINDS:
        kind = profile_kind(protocol)
        schema = _described(kind)
        inner = schema.pop("$defs", {})
        assert isinstance(inner, dict)
        definitions |= inner
        definitions[kind.__name__] = schema
        said: Schema = {"properties": {"protocol": {"const": protocol}}}
        assert isinstance(said, dict)
        if protocol != DEFAULT_PROTOCOL:
            said["required"] = ["protocol"]
        # What a member of a family leaves out stands in the family: only `check` sees both.
        said["not"] = {"required": ["extends"]}
        branches.append({"if": said, "then": {"$ref": f"#/$defs/{kind.__name__}"}})
    known: Schema = {"properties": {"protocol": {"enum": list(PROFILE_KINDS)}}}
    return {
        "type": "object",
        "allOf": [known, *branches],
        "$defs": dict(sorted(definitions.items())),
    }


def _dataclasses(hint: object) -> Iterator[type]:
    """Yield every dataclass that a type hint reaches, itself first."""
    if isinstance(hint, type) and is_dataclass(hint):
        yield hint
        for inner in get_type_hints(hint, include_extras=True).values():
            yield from _dataclasses(inner)
    for inner in get_args(hint):
        yield from _dataclasses(inner)


def _describe(definition: dict[str, Schema], settings_type: type) -> None:
    """Add what pydantic cannot know: limits, descriptions, keys that are Python words."""
    hints = get_type_hints(settings_type, include_extras=True)
    texts = descriptions(settings_type)
    properties = definition["properties"]
    assert isinstance(properties, dict)
    renamed: dict[str, Schema] = {}
    for field in fields(settings_type):
        key = field.name.removesuffix("_")
        entry = properties[field.name]
        assert isinstance(entry, dict)
        entry.pop("title", None)
        entry["description"] = texts[key]
        _forget_null(entry)
        _limit(entry, hints[field.name])
        renamed[key] = entry
    definition["properties"] = renamed
    definition["additionalProperties"] = False
    definition["description"] = str(settings_type.__doc__).split("\n", 1)[0]
    required = definition.get("required")
    if isinstance(required, list):
        definition["required"] = [str(key).removesuffix("_") for key in required]


def _forget_null(entry: dict[str, Schema]) -> None:
    """Take null away: TOML cannot say it, a key is left out instead."""
    choices = entry.get("anyOf")
    if isinstance(choices, list) and {"type": "null"} in choices:
        choices.remove({"type": "null"})
        entry.pop("default")
        if len(choices) == 1:
            del entry["anyOf"]
            (only,) = choices
            assert isinstance(only, dict)
            entry.update(only)


def _limit(entry: dict[str, Schema], hint: object) -> None:
    choices = entry.get("anyOf")
    places = [entry, *(choices if isinstance(choices, list) else [])]
    for constraint in constraints_of(hint):
        for place in places:
            assert isinstance(place, dict)
            match constraint:
                case Within(low=low, high=high) if place.get("type") in ("integer", "number"):
                    place.update({"minimum": low, "maximum": high})
                case Matching(pattern=pattern) if place.get("type") == "string":
                    place["pattern"] = f"^({pattern})$".replace(r"\Z", "$")
                case _:
                    pass


def descriptions(settings_type: type) -> dict[str, str]:
    """Return the description of each key, from the Attributes sections of it and its bases."""
    texts: dict[str, str] = {}
    for base in reversed(settings_type.__mro__):
        _, _, section = str(base.__doc__).partition("Attributes:\n")
        key = ""
        for line in section.splitlines():
            if match := re.fullmatch(r" {8}(\w+): (.*)", line):
                key = match[1].removesuffix("_")
                texts[key] = match[2]
            elif key and line.strip():
                texts[key] += f" {line.strip()}"
    return texts


def main() -> None:
    """Write every schema."""
    for name in (*ROOTS, PROFILES):
        (FOLDER / f"{name}.schema.json").write_text(schema_text(name), encoding="utf-8")


if __name__ == "__main__":
    main()
