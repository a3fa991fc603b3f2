"""Puts the file of a device into devices.d: checked with all others first, whole or not at all.

Channel numbers are given once: the highest that was ever given here stands in a hidden file beside
the devices, so that one that was removed is not given again.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

from edge_agent.config.device_rules import device_misfits
from edge_agent.config.files import device_file_misfits
from edge_agent.config.finding import Finding, in_file, problems_of
from edge_agent.config.library import Library, LoadedProfile
from edge_agent.config.model import DeviceSettings
from edge_agent.config.problem import ConfigurationError, Problem
from edge_agent.config.profile import Profile
from edge_agent.config.reading import read_toml
from edge_agent.config.rules import DeviceFile, device_findings, gateway_findings
from edge_agent.config.settings import DEVICES_FOLDER, Written, anchored_device, read_settings
from edge_agent.config.structure import structure
from edge_agent.errors import ExitCode, OperatorError

NUMBERS_FILE: Final = ".channel-numbers"
NUMBERS_TEXT: Final = """\
# The highest channel number that was ever given on this gateway: none is given twice.
highest = {highest}
"""
MODE: Final = 0o644


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The files of a gateway as they are."""

    agent_toml: Path
    written: Written
    library: Library
    environ: Mapping[str, str]

    @classmethod
    def of(cls, agent_toml: Path, environ: Mapping[str, str]) -> "Site":
        """Read the files; what is wrong with them is no matter yet."""
        return cls(
            agent_toml=agent_toml,
            written=read_settings(agent_toml, environ=environ, overrides={}),
            library=Library.beside(agent_toml),
            environ=environ,
        )

    @property
    def devices_folder(self) -> Path:
        """Where the files of devices are."""
        return self.agent_toml.parent / DEVICES_FOLDER

    @property
    def first_unused(self) -> int:
        """The channel number after the highest that was ever given."""
        in_use = [
            channel.number
            for device in self.written.devices
            for channel in device.settings.channels
        ]
        return 1 + max([*in_use, _highest(self.devices_folder / NUMBERS_FILE)], default=0)

    def path_of(self, device: str) -> Path:
        """Return the file of a device that is new, by its name."""
        stem = re.sub(r"[^A-Za-z0-9._-]+", "-", device).strip(".-") or "device"
        return self.devices_folder / f"{stem}.toml"

    def file_of(self, device: str) -> Path | None:
        """Return the file of a device that there is."""
        files = (Path(one.file) for one in self.written.devices if one.settings.name == device)
        return next(files, None)

    def problems(self, path: Path, text: str) -> tuple[Problem, ...]:
        """Return what would be wrong if a file of devices.d said this: only what it brings."""
        table = _table_of(path, text)
        settings, misfits = structure(table, DeviceSettings)
        if settings is None:
            return problems_of(in_file(str(path), misfits), {str(path): text})
        with_it = self._findings(path, settings)
        without = set(self._findings(path, None))
        new = [finding for finding in with_it if finding not in without]
        return problems_of(new, {str(path): text}) if new else ()

    def _findings(self, path: Path, settings: DeviceSettings | None) -> list[Finding]:
        """Return what is wrong with the files of the gateway, one of them being as given."""
        devices = [
            (one.file, one.settings)
            for one in self.written.devices
            if Path(one.file) != path or settings is None
        ]
        if settings is not None:
            anchored = anchored_device(settings, self.agent_toml.parent.absolute())
            devices.append((str(path), anchored))
        found: list[Finding] = []
        files: list[DeviceFile] = []
        for file, one in devices:
            profile = self._profile(one.profile)
            if profile is not None:
                found += in_file(file, device_misfits(one, profile))
                found += in_file(file, device_file_misfits(one))
            files.append(DeviceFile(file=file, settings=one, profile=profile))
        found += device_findings(files)
        if self.written.agent is not None:
            found += gateway_findings(self.written.agent, self.written.agent_file, files)
        return found

    def _profile(self, profile_id: str) -> Profile | None:
        loaded = self.library.load(profile_id) if profile_id in self.library.paths else None
        return loaded.profile if isinstance(loaded, LoadedProfile) else None


def put(site: Site, path: Path, text: str, *, is_new: bool, highest: int) -> None:
    """Write the file of a device durably; the highest channel number first.

    Args:
        site: where.
        path: the file.
        text: what it is to say; has no problems.
        is_new: whether it must not be there yet.
        highest: the highest channel number in it.

    Raises:
        OperatorError: it is there already, or cannot be written.

    """
    numbers = site.devices_folder / NUMBERS_FILE
    try:
        site.devices_folder.mkdir(parents=True, exist_ok=True)
        if highest > _highest(numbers):
            _write(numbers, NUMBERS_TEXT.format(highest=highest), is_new=False)
        _write(path, text, is_new=is_new)
    except FileExistsError as error:
        raise OperatorError(
            f"{path}: exists already. Choose another name, or remove the file",
            exit_code=ExitCode.CONFIGURATION,
        ) from error
    except OSError as error:
        raise OperatorError(
            f"{path}: {error.strerror or error}. Use sudo, or check the permissions of the folder",
            exit_code=ExitCode.PERMISSION,
        ) from error


def refuse_problems(problems: tuple[Problem, ...]) -> None:
    """Return if there are none.

    Raises:
        ConfigurationError: with all of them.

    """
    if problems:
        raise ConfigurationError(problems)


def _write(path: Path, text: str, *, is_new: bool) -> None:
    """Write a file whole, and durably: under a hidden name first, which the agent does not read."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    before = None if is_new or not path.exists() else path.stat()
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, MODE)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            # Whatever the umask: the agent is another user than the technician.
            os.fchmod(descriptor, MODE if before is None else before.st_mode & 0o777)
            if before is not None and os.geteuid() == 0:
                os.fchown(descriptor, before.st_uid, before.st_gid)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if is_new:
            os.link(unfinished, path)
        else:
            unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _highest(path: Path) -> int:
    """Return the highest channel number that was given, 0 where none was.

    Raises:
        OperatorError: the file is there and cannot be understood.

    """
    if not path.exists():
        return 0
    read = read_toml(path)
    highest = None if isinstance(read, Finding) else read.table.get("highest")
    if not isinstance(highest, int):
        raise OperatorError(
            f"{path}: does not tell the highest channel number. Write highest = NUMBER, with the "
            "highest that was ever given on this gateway",
            exit_code=ExitCode.CONFIGURATION,
        )
    return highest


def _table_of(path: Path, text: str) -> Mapping[str, object]:
    """Return what a text says as the file of a device.

    Raises:
        OperatorError: it is no TOML.

    """
    try:
        return tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise OperatorError(f"{path}: {error}", exit_code=ExitCode.CONFIGURATION) from error
