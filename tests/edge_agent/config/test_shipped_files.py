"""What we ship: samples equal the defaults, schemas the dataclasses, TOML files pass taplo."""

import json
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, get_args, get_type_hints

import pytest

from edge_agent.config.device_model import DeviceSettings
from edge_agent.config.environment import VARIABLES
from edge_agent.config.library import schema_text
from edge_agent.config.model import AgentFile
from edge_agent.config.structure import structure

ROOT: Final = Path(__file__).parents[3]
DOCS: Final = ROOT / "docs"
PAGE: Final = (DOCS / "configuration.md").read_text(encoding="utf-8")
SCRIPT: Final = runpy.run_path(str(Path(__file__).with_name("make_schemas.py")))
KINDS: Final = {"agent": AgentFile, "device": DeviceSettings}
SCHEMAS: Final = (*KINDS, "profile")
SAMPLES: Final = {"agent": DOCS / "agent.sample.toml", "device": DOCS / "device.sample.toml"}
TOML_FILES: Final = [
    *(("profile", path) for path in sorted((ROOT / "firmware_profiles").rglob("[!_]*.toml"))),
    *(("profile", path) for path in sorted((ROOT / "tests/cases/profiles").glob("*.toml"))),
    *SAMPLES.items(),
    ("agent", ROOT / "tests/cases/config/_good/agent.toml"),
    ("device", ROOT / "tests/cases/config/_good/devices.d/stack-1.toml"),
]
# What the samples must give because there is no default; the rest must be the default.
YOURS: Final = {
    *("gateway.id", "gateway.facility", "centre.url", "centre.receipt_key_file", "centre.ca_file"),
    *("name", "profile", "endpoint", "channels"),
}


def settings_of(kind: str) -> object:
    """Return the settings that a sample says."""
    table = tomllib.loads(SAMPLES[kind].read_text(encoding="utf-8"), parse_float=Decimal)
    settings, misfits = structure(table, KINDS[kind])
    assert misfits == ()
    return settings


def leaves(settings: object, path: str = "") -> Iterator[tuple[str, Field[object], object]]:
    """Yield every key of settings with its field and its value."""
    assert is_dataclass(settings)
    for field in fields(settings):
        key = f"{path}{field.name}"
        value = getattr(settings, field.name)
        if is_dataclass(value):
            yield from leaves(value, f"{key}.")
        else:
            yield key, field, value


@pytest.mark.parametrize("kind", SAMPLES)
def test_a_sample_gives_the_defaults(kind: str) -> None:
    for key, field, value in leaves(settings_of(kind)):
        if key not in YOURS:
            assert field.default is not MISSING, key
            assert value == field.default, key


@pytest.mark.parametrize("kind", SAMPLES)
def test_a_sample_names_every_key(kind: str) -> None:
    text = SAMPLES[kind].read_text(encoding="utf-8")

    for settings_type in SCRIPT["_dataclasses"](KINDS[kind]):
        for field in fields(settings_type):
            key = rf"^(# )?(\[\[?)?(\w+\.)*{field.name}( =|\]|\.)"
            assert re.search(key, text, re.MULTILINE), field


def test_keys_behind_a_comment_sign_in_a_sample_can_be_used() -> None:
    for kind, path in SAMPLES.items():
        text = re.sub(
            r"^# (\[\[\w+\]\]|[\w.]+ = )",
            r"\1",
            path.read_text(encoding="utf-8"),
            flags=re.MULTILINE,
        )
        _, misfits = structure(tomllib.loads(text, parse_float=Decimal), KINDS[kind])
        assert misfits == ()


@pytest.mark.parametrize("kind", SCHEMAS)
def test_a_schema_is_that_of_the_dataclasses(kind: str) -> None:
    assert schema_text(kind) == SCRIPT["schema_text"](kind), (
        "run python tests/edge_agent/config/make_schemas.py"
    )


@pytest.mark.parametrize("kind", SCHEMAS)
def test_a_schema_refuses_unknown_keys_and_explains_the_known_ones(kind: str) -> None:
    schema = json.loads(schema_text(kind))
    outer = [] if kind == "profile" else [schema]
    objects = [*outer, *(one for one in schema["$defs"].values() if one["type"] == "object")]

    for one in objects:
        assert one["additionalProperties"] is False
        assert all(entry["description"] for entry in one["properties"].values())


@pytest.mark.parametrize(("kind", "path"), TOML_FILES, ids=lambda one: getattr(one, "stem", one))
def test_taplo_finds_nothing_in_a_shipped_file(kind: str, path: Path) -> None:
    taplo = Path(sys.executable).with_name("taplo")
    if not taplo.exists():
        pytest.skip("taplo is not installed")
    schema = ROOT / "edge_agent" / "config" / f"{kind}.schema.json"

    done = subprocess.run(
        [taplo, "lint", "--no-auto-config", "--schema", schema.as_uri(), path],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 0, done.stderr


def test_taplo_finds_an_unknown_key(tmp_path: Path) -> None:
    taplo = Path(sys.executable).with_name("taplo")
    if not taplo.exists():
        pytest.skip("taplo is not installed")
    bad = tmp_path / "bad.toml"
    shutil.copy(SAMPLES["agent"], bad)
    bad.write_text(bad.read_text(encoding="utf-8").replace("quota_mb", "quota"), encoding="utf-8")
    schema = ROOT / "edge_agent" / "config" / "agent.schema.json"

    done = subprocess.run(
        [taplo, "lint", "--no-auto-config", "--schema", schema.as_uri(), bad],
        check=False,
        capture_output=True,
        timeout=60,
    )

    assert done.returncode != 0


def rows(settings_type: Any, path: str) -> Iterator[str]:  # noqa: ANN401 - any of the dataclasses
    """Yield the key of every setting as the page writes it."""
    hints = get_type_hints(settings_type)
    for field in fields(settings_type):
        key = f"{path}{field.name}".removesuffix("_")
        inner = (hints[field.name], *get_args(hints[field.name]))
        found = next((one for one in inner if is_dataclass(one)), None)
        if found is None:
            yield key
        else:
            yield from rows(found, f"{key}.")


@pytest.mark.parametrize("kind", SAMPLES)
def test_the_page_has_a_row_for_every_key(kind: str) -> None:
    for key in rows(KINDS[kind], ""):
        assert f"| `{key}` |" in PAGE, key


def test_the_page_has_a_row_for_every_variable() -> None:
    for variable in VARIABLES:
        assert f"| `{variable.name}` |" in PAGE
