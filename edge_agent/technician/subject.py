"""The device that a command is about: one of the configuration, or one that only has an endpoint.

Its settings may be incomplete: what is open is found out by looking at the device.
"""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Final

from edge_agent.config.device import Device
from edge_agent.config.device_model import ChannelSettings, DeviceSettings
from edge_agent.config.device_rules import device_misfits, endpoint_for
from edge_agent.config.finding import written
from edge_agent.config.library import Library, LoadedProfile
from edge_agent.config.problem import ConfigurationError, Problem
from edge_agent.config.profile import Profile
from edge_agent.config.resolve import device_of
from edge_agent.config.settings import read_settings
from edge_agent.config.structure import Misfit, did_you_mean, structure
from edge_agent.errors import ExitCode, OperatorError
from edge_agent.technician.candidates import OPEN_KEYS, Candidate

# Stands where the site has not said yet what a value is.
UNSAID: Final = "?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Settings of a device, and the profile that they name."""

    settings: DeviceSettings
    loaded: LoadedProfile

    @property
    def profile(self) -> Profile:
        """The profile."""
        return self.loaded.profile

    @property
    def point_of(self) -> Mapping[int, str]:
        """The point of each channel, by its number."""
        return {channel.number: channel.point for channel in self.settings.channels}

    def device(self, way: Candidate) -> Device:
        """Return the device as it is read in one way.

        Raises:
            ValueError: the way leaves something open.

        """
        said = [_said(channel, self.profile) for channel in self.settings.channels]
        settings = replace(way.applied(self.settings), channels=tuple(said))
        return device_of(settings, self.loaded, facility=UNSAID)

    def doubted(self) -> "Subject":
        """Return the same device, of which nothing is believed that can be found out."""
        profile = self.profile.doubted()
        open_settings = replace(self.settings, word_order=None, addressing=None)
        return Subject(
            settings=open_settings if profile is not self.profile else self.settings,
            loaded=replace(self.loaded, profile=profile),
        )


def configured(name: str, agent_toml: Path) -> Subject:
    """Return a device of the configuration, also where that cannot run yet.

    Raises:
        OperatorError: there is no such device, or its profile is bad.

    """
    read = read_settings(agent_toml, environ={}, overrides={})
    known = {device.settings.name: device for device in read.devices}
    if name not in known:
        raise OperatorError(
            f"there is no device '{name}' in {agent_toml.parent / 'devices.d'}. "
            f"{_sentence(did_you_mean(name, known))}",
            exit_code=ExitCode.CONFIGURATION,
        )
    settings = known[name].settings
    loaded = profile_of(settings.profile, Library.beside(agent_toml))
    return checked(Subject(settings=settings, loaded=loaded), known[name].file)


def drafted(table: Mapping[str, object], loaded: LoadedProfile, source: str) -> Subject:
    """Return the device that a table describes as its file would; what is open may be missing.

    Args:
        table: the keys of its file.
        loaded: its profile.
        source: what the table was made of, for messages.

    Raises:
        ConfigurationError: with everything that does not fit.

    """
    settings, misfits = structure(table, DeviceSettings)
    if settings is None:
        raise ConfigurationError(_problems(misfits, source))
    return checked(Subject(settings=settings, loaded=loaded), source)


def checked(subject: Subject, source: str) -> Subject:
    """Return a device of which nothing is wrong but what a look at it, or a person, can tell.

    Raises:
        ConfigurationError: with everything that is wrong.

    """
    settings, profile = subject.settings, subject.profile
    wrong = [
        misfit
        for misfit in device_misfits(settings, profile)
        if not _is_still_open(misfit, settings, profile)
    ]
    if wrong or endpoint_for(settings, profile) is None:
        raise ConfigurationError(_problems(wrong, source))
    return subject


def every_point(profile: Profile, points: Sequence[str]) -> list[dict[str, object]]:
    """Return channels of these points, or of every point of a profile, numbered from 1.

    Raises:
        OperatorError: the profile has no such point.

    """
    known = profile.point_names()
    for point in points:
        if point not in known:
            raise OperatorError(
                f"the profile {profile.id} has no point '{point}'. "
                f"{_sentence(did_you_mean(point, known))}",
                exit_code=ExitCode.USAGE,
            )
    return [
        {"number": number, "point": point, "name": point}
        for number, point in enumerate(points or known, 1)
    ]


class UnknownProfileError(OperatorError):
    """There is no profile of this id."""


def profile_of(profile_id: str, library: Library) -> LoadedProfile:
    """Return a profile.

    Raises:
        UnknownProfileError: there is none.
        OperatorError: it is bad.

    """
    if profile_id not in library.paths:
        raise UnknownProfileError(
            f"there is no profile '{profile_id}'. "
            f"{_sentence(did_you_mean(profile_id, library.paths))}",
            exit_code=ExitCode.CONFIGURATION,
        )
    loaded = library.load(profile_id)
    if isinstance(loaded, LoadedProfile):
        return loaded
    raise OperatorError(
        f"the profile {profile_id} is bad. `edge-agent profiles validate "
        f"{library.paths[profile_id]}` tells why",
        exit_code=ExitCode.CONFIGURATION,
    )


def told_keys(words: Sequence[str]) -> dict[str, object]:
    """Return the keys that words say, such as `unit_id=3` or `broker.client_id=gateway-7`.

    A value that is none of TOML is a text: who types in a shell need not quote twice.

    Raises:
        OperatorError: one is no key with a value, or a key is there twice.

    """
    try:
        return tomllib.loads("\n".join(map(_as_toml, words)), parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise OperatorError(
            f"--set: not TOML: {error}. Write KEY=VALUE as in a file", exit_code=ExitCode.USAGE
        ) from error


def _as_toml(word: str) -> str:
    key, sign, value = word.partition("=")
    try:
        tomllib.loads(word)
    except tomllib.TOMLDecodeError:
        return f"{key}{sign}{json.dumps(value.strip())}" if sign else word
    return word


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _said(channel: ChannelSettings, profile: Profile) -> ChannelSettings:
    point = profile.point(channel.point)
    if point is None:
        return channel
    return replace(
        channel,
        parameter=channel.parameter or (UNSAID if point.parameter is None else None),
        unit_of_measure=channel.unit_of_measure
        or (UNSAID if point.unit_of_measure is None else None),
    )


def _is_still_open(misfit: Misfit, settings: DeviceSettings, profile: Profile) -> bool:
    """Return whether something is missing only because nobody has looked at the device yet."""
    match misfit.path:
        case (str(key),):
            return key in OPEN_KEYS and getattr(settings, key) is None
        case ("channels", int(index)):
            point = profile.point(settings.channels[index].point)
            return point is not None and point.unit_is_selectable
        case ("channels", int(index), ("parameter" | "unit_of_measure") as key):
            return getattr(settings.channels[index], key) is None
    return False


def _problems(misfits: Sequence[Misfit], source: str) -> list[Problem]:
    return [
        Problem(
            file=source,
            line=None,
            path=written(misfit.path),
            message=misfit.message,
            remedy=misfit.remedy,
        )
        for misfit in misfits
    ]
