"""One file as a profile: read, made one with its family, structured and checked."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType

from edge_agent.config.family import family_misfits, is_of_family, merged, removal_misfits
from edge_agent.config.finding import Finding, in_file
from edge_agent.config.profile import Profile
from edge_agent.config.profile_rules import profile_misfits
from edge_agent.config.protocols.registry import DEFAULT_PROTOCOL, PROFILE_KINDS, profile_kind
from edge_agent.config.reading import TomlFile, read_toml
from edge_agent.config.structure import Misfit, did_you_mean, structure
from edge_agent.wire.vocabulary import Hash

# As that of a profile: the bundle names the family by a key made of it (`profile.ProfileId`).
LONGEST_ID = 31


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LoadedProfile:
    """A profile that may be used, and the files it was read from: its own, and of its family."""

    profile: Profile
    file: TomlFile
    family: TomlFile | None = None

    @property
    def file_hash(self) -> Hash:
        """The SHA-256 that the bundle names the file by."""
        return Hash(sha256(self.file.content).digest())

    @property
    def files(self) -> Mapping[str, TomlFile]:
        """Every file that the profile was made of, by what the bundle knows it as."""
        if self.family is None:
            return {self.profile.id: self.file}
        vendor = self.profile.id.partition("/")[0]
        return {self.profile.id: self.file, f"{vendor}/{self.profile.extends}": self.family}


@dataclass(frozen=True, slots=True, kw_only=True)
class BadProfile:
    """A file that is no profile that may be used, with everything that is wrong with it."""

    findings: tuple[Finding, ...]
    texts: Mapping[str, str]


def load_profile(
    path: Path | Traversable,
    profile_id: str | None,
    *,
    families: Mapping[str, Path | Traversable] = MappingProxyType({}),
) -> LoadedProfile | BadProfile:
    """Return the profile in a file, or everything that is wrong with it.

    Args:
        path: the file.
        profile_id: the id that its place in a library gives it; None: any.
        families: the files that it may extend, by VENDOR/_NAME.

    """
    file = read_toml(path)
    if isinstance(file, Finding):
        return BadProfile(findings=(file,), texts={})
    extended = _extended(file, families)
    if isinstance(extended, BadProfile):
        return extended
    table, family = extended
    profile, misfits = _structured(table)
    if profile is not None:
        misfits = profile_misfits(profile, profile_id)
        if not misfits:
            return LoadedProfile(profile=profile, file=file, family=family)
    return _bad(misfits, file, family)


def _extended(
    file: TomlFile, families: Mapping[str, Path | Traversable]
) -> tuple[Mapping[str, object], TomlFile | None] | BadProfile:
    """Return the table of a profile together with its family's, and the file of the family."""
    if "extends" not in file.table and "remove" not in file.table:
        return file.table, None
    extends, vendor = file.table.get("extends"), str(file.table.get("id")).partition("/")[0]
    name = f"{vendor}/{extends}"
    place = families.get(name) if len(name) <= LONGEST_ID else None
    if place is None:
        return _bad([_no_family(extends, vendor, families)], file, None)
    family = read_toml(place)
    if isinstance(family, Finding):
        return BadProfile(findings=(family,), texts={})
    if wrong := tuple(family_misfits(family.table)):
        return _bad(wrong, family, None)
    if missing := tuple(removal_misfits(file.table, family.table)):
        return _bad(missing, file, None)
    return merged(file.table, family.table), family


def _no_family(extends: object, vendor: str, families: Iterable[str]) -> Misfit:
    if extends is None:
        return Misfit(
            path=("remove",),
            message="there is no family to remove anything of",
            remedy="remove the key, or add extends",
        )
    if len(f"{vendor}/{extends}") > LONGEST_ID:
        message = f"{vendor}/{extends} has more than {LONGEST_ID} characters"
        return Misfit(path=("extends",), message=message, remedy="give the family a shorter name")
    known = [name.partition("/")[2] for name in families if name.startswith(f"{vendor}/")]
    message = f"{vendor} has no family '{extends}'"
    return Misfit(path=("extends",), message=message, remedy=did_you_mean(str(extends), known))


def _bad(misfits: Iterable[Misfit], file: TomlFile, family: TomlFile | None) -> BadProfile:
    """Return what is wrong with a profile, each in the file where it was written."""
    findings: list[Finding] = []
    texts = {file.name: file.text}
    for misfit in misfits:
        written = file
        if family is not None and is_of_family(misfit.path, file.table, family.table):
            written = family
            texts[family.name] = family.text
        findings += in_file(written.name, [misfit])
    return BadProfile(findings=tuple(findings), texts=texts)


def _structured(table: Mapping[str, object]) -> tuple[Profile | None, tuple[Misfit, ...]]:
    """Return the profile in a table, of the kind that its protocol asks for."""
    protocol = table.get("protocol", DEFAULT_PROTOCOL)
    if not isinstance(protocol, str) or protocol not in PROFILE_KINDS:
        message = f"there is no protocol '{protocol}'"
        remedy = did_you_mean(str(protocol), PROFILE_KINDS)
        misfit = Misfit(path=("protocol",), message=message, remedy=remedy)
        return None, (misfit,)
    return structure(table, profile_kind(protocol))
