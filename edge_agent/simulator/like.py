"""A simulated device from the file of a real one: its profile, and what its site settled."""

from pathlib import Path

from edge_agent.config.device_model import DeviceSettings
from edge_agent.config.device_rules import device_misfits
from edge_agent.config.finding import Finding, in_file, problems_of
from edge_agent.config.library import Library, LoadedProfile
from edge_agent.config.problem import ConfigurationError
from edge_agent.config.profile import Profile
from edge_agent.config.reading import TomlFile, read_toml
from edge_agent.config.structure import Misfit, did_you_mean, structure
from edge_agent.simulator.site import Site


def profile_named(profile_id: str, library: Library) -> Profile:
    """Return a profile of the library.

    Raises:
        ConfigurationError: there is none of this id, or its file is bad.

    """
    if profile_id not in library.paths:
        finding = Finding(
            file=profile_id,
            path=(),
            message="no such profile",
            remedy=did_you_mean(profile_id, library.paths),
        )
        raise ConfigurationError(problems_of([finding], {}))
    loaded = library.load(profile_id)
    if not isinstance(loaded, LoadedProfile):
        raise ConfigurationError(problems_of(loaded.findings, loaded.texts))
    return loaded.profile


def device_like(path: Path, library: Library) -> tuple[DeviceSettings, Profile]:
    """Return what the file of a device says, and its profile.

    Raises:
        ConfigurationError: with every problem of the file; `edge-agent check` says the same.

    """
    file = read_toml(path)
    if isinstance(file, Finding):
        raise ConfigurationError(problems_of([file], {}))
    settings, misfits = structure(file.table, DeviceSettings)
    if settings is None:
        raise _bad(file, misfits)
    profile = profile_named(settings.profile, library)
    if misfits := device_misfits(settings, profile):
        raise _bad(file, misfits)
    return settings, profile


def site_of(settings: DeviceSettings) -> Site:
    """Return what the file of a device settles."""
    channels = settings.channels
    own = settings.bayern_hessen or settings.dnp3
    return Site(
        word_order=settings.word_order,
        addressing=settings.addressing,
        number=settings.unit_id if own is None else own.address,
        parameters={one.point: one.parameter for one in channels if one.parameter is not None},
        units={one.point: one.unit_of_measure for one in channels if one.unit_of_measure},
        like=settings,
    )


def _bad(file: TomlFile, misfits: tuple[Misfit, ...]) -> ConfigurationError:
    return ConfigurationError(problems_of(in_file(file.name, misfits), {file.name: file.text}))
