"""Whether the files that the settings name are there and safe; reads no key and opens no socket."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from edge_agent.config.device_model import DeviceSettings
from edge_agent.config.model import AgentFile
from edge_agent.config.structure import KeyPath, Misfit

OWNER_ONLY = 0o600
# What systemd hands to a service (LoadCredential= in systemd.exec(5)) is given to its user by an
# access list, which shows as permission of the group.
CREDENTIAL = 0o440
# The files that tables of a device name; secret ones only their owner may read.
PUBLIC_FILES = ("ca_file", "certificate_file", "server_certificate_file")
SECRET_FILES = ("key_file", "password_file")


def file_misfits(agent: AgentFile, *, credentials: Path | None) -> tuple[Misfit, ...]:
    """Return what is wrong with the files that agent.toml names.

    The keys and the buffer may be absent: they are made before the first start, or by it.

    Args:
        agent: the settings, with absolute paths.
        credentials: $CREDENTIALS_DIRECTORY of systemd, if any.

    """
    centre = agent.centre
    secrets = [(agent.gateway.key_file, ("gateway", "key_file"))]
    if centre.certificate_file is not None:
        secrets.append((centre.certificate_file, ("centre", "certificate_file")))
    found = [*_readable(centre.receipt_key_file, ("centre", "receipt_key_file"))]
    if centre.ca_file is not None:
        found += _readable(centre.ca_file, ("centre", "ca_file"))
    for path, key in secrets:
        found += _private(path, key, _allowed(path, credentials))
        found += _folder(path, key)
    return (*found, *_folder(agent.buffer.path, ("buffer", "path")))


def device_file_misfits(
    device: DeviceSettings, *, credentials: Path | None = None
) -> tuple[Misfit, ...]:
    """Return what is wrong with the files that the file of a device names, with absolute paths."""
    found: list[Misfit] = []
    for table in ("broker", "opcua", "tls"):
        section = getattr(device, table)
        for name in (*PUBLIC_FILES, *SECRET_FILES):
            path: Path | None = getattr(section, name, None)
            if path is not None:
                found += _readable(path, (table, name))
                if name in SECRET_FILES:
                    found += _private(path, (table, name), _allowed(path, credentials))
    return tuple(found)


def _allowed(path: Path, credentials: Path | None) -> int:
    return CREDENTIAL if path.parent == credentials else OWNER_ONLY


def _readable(path: Path, key: KeyPath) -> Iterator[Misfit]:
    status = _seen(path)
    is_file = isinstance(status, os.stat_result) and stat.S_ISREG(status.st_mode)
    if isinstance(status, PermissionError) or (is_file and not os.access(path, os.R_OK)):
        yield Misfit(
            path=key,
            message=f"{path} may not be read by this user",
            remedy=f"allow it: chmod u+r {path}, or chown it",
        )
    elif not is_file:
        yield Misfit(path=key, message=f"there is no file {path}", remedy="correct the path")


def _private(path: Path, key: KeyPath, allowed: int) -> Iterator[Misfit]:
    # In a folder that is closed to this user it is closed to others as well.
    status = _seen(path)
    if isinstance(status, os.stat_result) and stat.S_IMODE(status.st_mode) & ~allowed:
        yield Misfit(
            path=key,
            message=f"others may use the {key[-1]} {path}",
            remedy=f"take it from them: chmod 600 {path}",
        )


def _folder(path: Path, key: KeyPath) -> Iterator[Misfit]:
    status = _seen(path.parent)
    if isinstance(status, PermissionError):
        return
    if not isinstance(status, os.stat_result) or not stat.S_ISDIR(status.st_mode):
        yield Misfit(
            path=key,
            message=f"there is no folder {path.parent}",
            remedy=f"make it: mkdir -p {path.parent}, or correct the path",
        )


def _seen(path: Path) -> os.stat_result | OSError:
    """Return what this user can see of a path, or why it sees nothing."""
    try:
        return path.stat()
    except OSError as fault:
        return fault
