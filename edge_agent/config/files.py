"""Whether the files that the settings name are there and safe; reads no key and opens no socket."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from edge_agent.config.model import AgentFile
from edge_agent.config.structure import KeyPath, Misfit

NOT_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def file_misfits(agent: AgentFile) -> tuple[Misfit, ...]:
    """Return what is wrong with the files that agent.toml names.

    The signing key and the buffer may be absent: they are made at the first start.
    """
    centre = agent.centre
    return (
        *_readable(centre.receipt_key_file, ("centre", "receipt_key_file")),
        *(_readable(centre.ca_file, ("centre", "ca_file")) if centre.ca_file else ()),
        *_private(agent.gateway.key_file, ("gateway", "key_file")),
        *_folder(agent.gateway.key_file, ("gateway", "key_file")),
        *_folder(agent.buffer.path, ("buffer", "path")),
    )


def _readable(path: Path, key: KeyPath) -> Iterator[Misfit]:
    if not path.is_file():
        yield Misfit(path=key, message=f"there is no file {path}", remedy="correct the path")
    elif not os.access(path, os.R_OK):
        yield Misfit(
            path=key,
            message=f"{path} may not be read by this user",
            remedy=f"allow it: chmod u+r {path}, or chown it",
        )


def _private(path: Path, key: KeyPath) -> Iterator[Misfit]:
    if path.exists() and path.stat().st_mode & NOT_OTHERS:
        yield Misfit(
            path=key,
            message=f"others may use the signing key {path}",
            remedy=f"take it from them: chmod 600 {path}",
        )


def _folder(path: Path, key: KeyPath) -> Iterator[Misfit]:
    if not path.parent.is_dir():
        yield Misfit(
            path=key,
            message=f"there is no folder {path.parent}",
            remedy=f"make it: mkdir -p {path.parent}, or correct the path",
        )
