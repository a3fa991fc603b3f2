"""Puts the file of a device into devices.d: checked with all others first, whole or not at all."""

import os
import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

from edge_agent.config.device_model import DeviceSettings
from edge_agent.config.device_rules import device_misfits
from edge_agent.config.files import device_file_misfits
from edge_agent.config.finding import Finding, in_file, problems_of
from edge_agent.config.library import Library, LoadedProfile
from edge_agent.config.problem import ConfigurationError, Problem
from edge_agent.config.profile import Profile
from edge_agent.config.rules import DeviceFile, device_findings, gateway_findings
from edge_agent.config.settings import DEVICES_FOLDER, Written, anchored_device, read_settings
from edge_agent.config.structure import structure
from edge_agent.errors import ExitCode, OperatorError
from edge_agent.technician.numbers import FILE, TEXT, giving, highest_given

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
        """Read the files; what is wrong with them is no matter yet.

        Raises:
            OperatorError: there is no gateway here.

        """
        if not agent_toml.exists():
            raise OperatorError(
                f"{agent_toml}: there is no gateway here. `edge-agent init` makes one",
                exit_code=ExitCode.CONFIGURATION,
            )
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
        return 1 + highest_given(self.devices_folder)

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


def put_new(site: Site, path: Path, text: str, numbers: Collection[int]) -> None:
    """Write the file of a new device durably; the highest channel number first.

    Args:
        site: where.
        path: the file.
        text: what it is to say; has no problems.
        numbers: the channel numbers in it, none of which was ever given.

    Raises:
        OperatorError: it is there already, cannot be written, or a number was given meanwhile.

    """
    with _told(path):
        site.devices_folder.mkdir(parents=True, exist_ok=True)
        with giving(site.devices_folder, min(numbers)):
            highest = TEXT.format(highest=max(numbers))
            _write(site.devices_folder / FILE, highest, is_new=False)
            _write(path, text, is_new=True)


def put_again(path: Path, text: str) -> None:
    """Write the file of a device that there is durably.

    Raises:
        OperatorError: it cannot be written.

    """
    with _told(path):
        _write(path, text, is_new=False)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Say what keeps a file from being written."""
    try:
        yield
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


def _table_of(path: Path, text: str) -> Mapping[str, object]:
    """Return what a text says as the file of a device.

    Raises:
        OperatorError: it is no TOML.

    """
    try:
        return tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise OperatorError(f"{path}: {error}", exit_code=ExitCode.CONFIGURATION) from error
