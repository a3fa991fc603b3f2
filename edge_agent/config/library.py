"""The profiles at hand: the folder profiles.d first, then those that come with the product.

Reads and checks files; knows nothing of devices. A profile is found by its id, which is also its
path in the library: vendor/model.toml.
"""

from collections.abc import Iterator, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from edge_agent.config.finding import problems_of
from edge_agent.config.problem import ConfigurationError, Problem
from edge_agent.config.profile_file import BadProfile, LoadedProfile, load_profile
from edge_agent.config.reading import unreadable
from edge_agent.config.structure import did_you_mean

__all__ = [
    "SHIPPED",
    "BadProfile",
    "Library",
    "LoadedProfile",
    "device_file",
    "listed",
    "load_profile",
    "schema_text",
    "shown",
    "validated",
]

SHIPPED = "firmware_profiles"
PROFILES_FOLDER = "profiles.d"


class Library:
    """The profiles in some folders, the first of which counts; each file is read once."""

    def __init__(self, *, folders: Sequence[Path | Traversable]) -> None:
        """Look for the files of all folders.

        Raises:
            ConfigurationError: a folder is there, but cannot be read.

        """
        found: dict[str, Path | Traversable] = {}
        for folder in reversed(folders):
            try:
                found.update(_profile_files(folder))
            except OSError as fault:
                raise ConfigurationError(
                    problems_of([unreadable(str(folder), fault)], {})
                ) from fault
        self.paths = {name: found[name] for name in sorted(found) if "/_" not in name}
        self._families = {name: found[name] for name in found if "/_" in name}
        self._read: dict[str, LoadedProfile | BadProfile] = {}

    @classmethod
    def beside(cls, agent_toml: Path) -> "Library":
        """Return the library of a gateway: profiles.d beside its agent.toml, then the product's."""
        return cls.of_site(agent_toml.parent)

    @classmethod
    def of_site(cls, folder: Path) -> "Library":
        """Return the profiles of profiles.d in this folder, then those of the product."""
        return cls(folders=(folder / PROFILES_FOLDER, files(SHIPPED)))

    def load(self, profile_id: str) -> LoadedProfile | BadProfile:
        """Return a profile, or everything that is wrong with its file.

        Raises:
            KeyError: there is no profile of this id.

        """
        if profile_id not in self._read:
            self._read[profile_id] = load_profile(
                self.paths[profile_id], profile_id, families=self._families
            )
        return self._read[profile_id]


def shown(profile_id: str, library: Library) -> str:
    """Return the file of a profile as it is written.

    Raises:
        ConfigurationError: there is no such profile, or it is bad.

    """
    return _found(profile_id, library).file.text


def listed(library: Library) -> tuple[LoadedProfile, ...]:
    """Return every profile of a library by its id.

    Raises:
        ConfigurationError: with every problem of every profile.

    """
    return _good([library.load(profile_id) for profile_id in library.paths])


def validated(paths: Sequence[Path]) -> tuple[LoadedProfile, ...]:
    """Return the profiles in these files.

    Raises:
        ConfigurationError: with every problem of every file.

    """
    return _good([_alone(path) for path in paths])


def _alone(path: Path) -> LoadedProfile | BadProfile:
    """Return the profile in a file that is in no library; its family is beside it."""
    beside = path.parent.glob("_*.toml")
    vendor = path.parent.name
    known: dict[str, Path | Traversable] = {f"{vendor}/{one.stem}": one for one in beside}
    shipped = {name: one for name, one in _profile_files(files(SHIPPED)) if "/_" in name}
    return load_profile(path, None, families=shipped | known)


def schema_text(name: str) -> str:
    """Return the JSON Schema of the agent, device or profile files, for editors."""
    return (files("edge_agent.config") / f"{name}.schema.json").read_text(encoding="utf-8")


def device_file(profile_id: str, *, name: str, endpoint: str, first_channel: int) -> str:
    """Return the text of a devices.d file with every point of a shipped profile as a channel.

    Args:
        profile_id: which profile.
        name: of the device.
        endpoint: where it answers.
        first_channel: the number of the first channel; the others follow.

    Raises:
        ConfigurationError: the profile is missing or bad.

    """
    library = Library(folders=(files(SHIPPED),))
    profile = _found(profile_id, library).profile
    channels = [
        f'\n[[channels]]\nnumber = {number}\npoint = "{point}"\nname = "{name} {point}"\n'
        for number, point in enumerate(profile.point_names(), first_channel)
    ]
    head = f'name = "{name}"\nprofile = "{profile_id}"\nendpoint = "{endpoint}"\n'
    return head + "".join(channels)


def _found(profile_id: str, library: Library) -> LoadedProfile:
    paths = library.paths
    if profile_id not in paths:
        remedy = did_you_mean(profile_id, paths)
        raise ConfigurationError(
            [Problem(file=profile_id, line=None, path="", message="no such profile", remedy=remedy)]
        )
    (profile,) = _good([library.load(profile_id)])
    return profile


def _good(loaded: Sequence[LoadedProfile | BadProfile]) -> tuple[LoadedProfile, ...]:
    bad = [one for one in loaded if isinstance(one, BadProfile)]
    if bad:
        findings = [finding for one in bad for finding in one.findings]
        texts = {file: text for one in bad for file, text in one.texts.items()}
        raise ConfigurationError(problems_of(findings, texts))
    return tuple(one for one in loaded if isinstance(one, LoadedProfile))


def _profile_files(folder: Path | Traversable) -> Iterator[tuple[str, Path | Traversable]]:
    if not folder.is_dir():
        return
    for vendor in folder.iterdir():
        if vendor.is_dir():
            for file in vendor.iterdir():
                if file.name.endswith(".toml"):
                    yield f"{vendor.name}/{file.name.removesuffix('.toml')}", file
