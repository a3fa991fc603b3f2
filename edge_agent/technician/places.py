"""Where the agent answers and where its buffer is, also where the configuration cannot run."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from edge_agent.config.finding import Finding
from edge_agent.config.loading import load_plan
from edge_agent.config.mending import mended
from edge_agent.config.model import BufferSettings, HealthSettings
from edge_agent.config.plan import ConfigurationError
from edge_agent.config.reading import read_toml

Section = TypeVar("Section", BufferSettings, HealthSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """What a look at the agent needs to know.

    Attributes:
        socket: where the agent answers; None: nowhere.
        buffer: its buffer file.
        problems: why the configuration cannot run; none where it can.

    """

    socket: Path | None
    buffer: Path
    problems: tuple[str, ...]


def places_of(agent_toml: Path) -> Places:
    """Return the places that the files name, as far as they can be read, else the usual ones."""
    try:
        settings = load_plan(agent_toml, environ=os.environ, overrides={}).settings
    except ConfigurationError as error:
        problems = error.problems
    else:
        return Places(socket=settings.health.socket, buffer=settings.buffer.path, problems=())
    file = read_toml(agent_toml)
    table: Mapping[str, object] = {} if isinstance(file, Finding) else file.table
    folder = agent_toml.parent.absolute()
    socket = _section(table, "health", HealthSettings).socket
    buffer = _section(table, "buffer", BufferSettings).path
    return Places(
        socket=None if socket is None else folder / socket,
        buffer=folder / buffer,
        problems=problems,
    )


def _section(table: Mapping[str, object], name: str, kind: type[Section]) -> Section:
    """Return what is good in one section, with the defaults for the rest."""
    section = table.get(name)
    return mended(section if isinstance(section, dict) else {}, kind).settings or kind()
