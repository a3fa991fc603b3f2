"""The files of an edition: kept when they are read, and read again where they must stand in.

The files that people edit are only read: what is kept is what an edition was, so that it can come
back. Nothing in it is a secret: those are other files.
"""

import io
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath

from edge_agent.config.kept import Kept
from edge_agent.config.loading import Loaded, load, load_plan
from edge_agent.config.plan import Plan
from edge_agent.config.problem import ConfigurationError


def keep(kept: Kept, loaded: Loaded) -> None:
    """Keep the files of an edition durably, once.

    Raises:
        OSError: they cannot be written.

    """
    if kept.has(loaded.plan.edition):
        return
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in sorted(loaded.site_files.items()):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o640
            archive.addfile(member, io.BytesIO(content))
    kept.store(kept.archive(loaded.plan.edition), packed.getvalue())


@contextmanager
def unpacked(kept: Kept, edition: str) -> Iterator[Path]:
    """Yield a folder with the files of an edition, for as long as the block lasts.

    Raises:
        OSError, tarfile.TarError: they are not here, or are not what was kept.

    """
    with tempfile.TemporaryDirectory(prefix="edge-agent-") as name:
        with tarfile.open(kept.archive(edition)) as archive:
            for member in archive:
                _unpack(archive, member, Path(name))
        yield Path(name)


def _unpack(archive: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """Write one file below the folder; root may do this with what the agent's user has kept."""
    content = archive.extractfile(member)
    path = PurePosixPath(member.name)
    if content is None or not member.isreg() or path.is_absolute() or ".." in path.parts:
        raise tarfile.ReadError(f"{member.name}: not a file that is kept")
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_bytes(content.read())


def plan_at_reload(
    agent_toml: Path,
    *,
    environ: Mapping[str, str],
    overrides: Mapping[str, str | int | bool],
) -> Plan:
    """Return the plan of the files and keep them; arguments and errors as of `load_plan`."""
    loaded = load(agent_toml, environ=environ, overrides=overrides)
    # The agent looks whether they are there: without them there is a way back until it ends.
    with suppress(OSError):
        keep(Kept.of(loaded.plan.settings), loaded)
    return loaded.plan


def plan_at_start(
    agent_toml: Path,
    *,
    environ: Mapping[str, str],
    overrides: Mapping[str, str | int | bool],
) -> Plan:
    """Return the plan of the files, or the accepted one where they hold one that was rolled back.

    An edition whose probation the agent did not survive counts as rolled back. Arguments and errors
    as of `load_plan`.
    """
    plan = plan_at_reload(agent_toml, environ=environ, overrides=overrides)
    kept = Kept.of(plan.settings)
    with suppress(OSError, tarfile.TarError, ConfigurationError):
        record = kept.record()
        if plan.edition in {record.tried, record.refused} and plan.edition != record.accepted:
            with unpacked(kept, record.accepted) as folder:
                before = load_plan(agent_toml, environ=environ, overrides=overrides, folder=folder)
            return replace(before, stands_in_for=plan.edition)
    return plan
