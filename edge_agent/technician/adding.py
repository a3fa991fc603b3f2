"""What a new device is: said by flags, asked of the technician where they say nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from edge_agent.config.endpoint import written_as
from edge_agent.config.library import LoadedProfile
from edge_agent.config.problem import ConfigurationError, Problem
from edge_agent.config.profile import Profile
from edge_agent.config.vocabulary import Role
from edge_agent.errors import ExitCode, OperatorError
from edge_agent.technician.drafting import channel_of, numbered
from edge_agent.technician.person import Person, answer
from edge_agent.technician.placing import Site
from edge_agent.technician.subject import Subject, drafted, profile_of, told_keys

SOURCE: Final = "the new device"
# So often a person may answer before the command gives up.
TURNS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the flags say of a new device; None and nothing: not said.

    Attributes:
        name: of the device.
        profile: id.
        endpoint: where it answers.
        keys: lines of TOML, as in its file.
        channels: POINT[,KEY=VALUE]...

    """

    name: str | None
    profile: str | None
    endpoint: str | None
    keys: Sequence[str]
    channels: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wished:
    """A new device, and the keys that its file is to have."""

    subject: Subject
    keys: Mapping[str, object]


def wished(wish: Wish, site: Site, person: Person) -> Wished:
    """Return the device that is wished for, with the next unused channel numbers.

    Raises:
        OperatorError: something is missing and nobody can be asked, or is wrong.

    """
    loaded = _profile(wish.profile, site, person)
    profile = loaded.profile
    endpoint = wish.endpoint or answer(
        person, f"Where does it answer ({written_as(profile.SCHEMES)})?", flag="--endpoint"
    )
    name = wish.name or answer(person, "What is the device to be called?", flag="NAME")
    keys = told_keys(wish.keys)
    if "unit_id" in profile.OWN_KEYS and "unit_id" not in keys and person.is_there:
        keys |= told_keys(
            [f"unit_id={answer(person, 'Unit id?', flag='--set unit_id=', default='1')}"]
        )
    channels = [channel_of(word) for word in wish.channels or _points(profile, person)]
    for channel in channels:
        _complete(channel, profile, person)
    table = {
        "name": name,
        "profile": profile.id,
        "endpoint": endpoint,
        **keys,
        "channels": numbered(channels, name, site.first_unused),
    }
    return Wished(subject=_drafted(table, loaded, person), keys=table)


def _profile(profile_id: str | None, site: Site, person: Person) -> LoadedProfile:
    if profile_id is None:
        if person.is_there:
            person.tell("\n".join(f"  {name}" for name in site.library.paths))
        profile_id = answer(person, "Which profile?", flag="--profile")
    return profile_of(profile_id, site.library)


def _points(profile: Profile, person: Person) -> Sequence[str]:
    """Return the points to read: all that measure, where the site has nothing to assign."""
    usual = [
        name
        for name in profile.point_names()
        if "." not in name and (point := profile.point(name)) and point.role is Role.MEASUREMENT
    ]
    if not person.is_there and usual:
        return usual
    if person.is_there:
        person.tell(f"points of {profile.id}: {', '.join(_in_short(profile))}")
    said = answer(
        person,
        "Which points, separated by blanks?",
        flag="--channel POINT",
        default=" ".join(usual),
    )
    return said.split()


def _in_short(profile: Profile) -> list[str]:
    """Return the names of all points, those of a block once."""
    return list(
        dict.fromkeys(
            f"{parts[0]}.N.{parts[2]}" if len(parts := name.split(".")) == 3 else name
            for name in profile.point_names()
        )
    )


def _complete(channel: dict[str, object], profile: Profile, person: Person) -> None:
    """Ask what the profile leaves to the site."""
    point = profile.point(str(channel["point"]))
    if point is None or not person.is_there:
        return
    for key, said in (("parameter", point.parameter), ("unit_of_measure", point.unit_of_measure)):
        if said is None and key not in channel:
            question = f"{channel['point']}: which {key.replace('_', ' ')}?"
            channel[key] = answer(person, question, flag=f"--channel POINT,{key}=...")


def _drafted(table: dict[str, object], loaded: LoadedProfile, person: Person) -> Subject:
    """Return the device of a table; a person is asked for every key that is missing or wrong.

    Raises:
        ConfigurationError: with what is wrong, where nobody can mend it.

    """
    for _ in range(TURNS):
        try:
            return drafted(table, loaded, SOURCE)
        except ConfigurationError as error:
            if not person.is_there:
                raise
            _mend(table, error.found[0], person)
    raise OperatorError("too many wrong answers. Nothing was written", exit_code=ExitCode.USAGE)


def _mend(table: dict[str, object], problem: Problem, person: Person) -> None:
    if not problem.path or "[" in problem.path:
        raise ConfigurationError([problem])
    person.tell(f"{problem.path}: {problem.message}. {problem.remedy}")
    said = answer(person, f"{problem.path} =", flag="--set")
    outer, _, inner = problem.path.partition(".")
    if not inner:
        table |= told_keys([f"{outer}={said}"])
        return
    within = table.get(outer)
    table[outer] = {
        **(within if isinstance(within, dict) else {}),
        **told_keys([f"{inner}={said}"]),
    }
