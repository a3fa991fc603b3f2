"""Reads the files of a gateway, checks them as a whole, and makes the plan of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from edge_agent.config.bundling import bundle_of
from edge_agent.config.device_model import DeviceSettings
from edge_agent.config.device_rules import device_misfits
from edge_agent.config.files import device_file_misfits, file_misfits
from edge_agent.config.finding import Finding, in_file, problems_of
from edge_agent.config.library import PROFILES_FOLDER, Library, LoadedProfile
from edge_agent.config.model import AgentFile
from edge_agent.config.plan import Confirmed, Plan
from edge_agent.config.problem import ConfigurationError
from edge_agent.config.resolve import device_of
from edge_agent.config.rules import DeviceFile, device_findings, gateway_findings
from edge_agent.config.settings import DEVICES_FOLDER, Written, WrittenDevice, read_settings
from edge_agent.config.structure import did_you_mean
from edge_agent.wire.document import Document


def load_plan(
    agent_toml: Path,
    *,
    environ: Mapping[str, str],
    overrides: Mapping[str, str | int | bool],
    folder: Path | None = None,
) -> Plan:
    """Return the plan that agent.toml, devices.d and profiles.d beside it give.

    Args:
        agent_toml: the file of the gateway; relative paths start from its folder.
        environ: the environment; what it says stands before the files.
        overrides: dotted setting -> value, from flags; stand before the environment.
        folder: where devices.d and profiles.d are. Default: beside agent.toml.

    Raises:
        ConfigurationError: with every problem of every file.

    """
    return load(agent_toml, environ=environ, overrides=overrides, folder=folder).plan


def load(
    agent_toml: Path,
    *,
    environ: Mapping[str, str],
    overrides: Mapping[str, str | int | bool],
    folder: Path | None = None,
) -> "Loaded":
    """Return the plan of `load_plan`, and the files of the site that it was made of."""
    written = read_settings(agent_toml, environ=environ, overrides=overrides, folder=folder)
    texts = dict(written.texts)
    given = environ.get("CREDENTIALS_DIRECTORY")
    credentials = Path(given) if given else None
    site = folder or agent_toml.parent
    library = Library.of_site(site)
    found: list[Finding] = []
    files: list[DeviceFile] = []
    loaded: dict[str, LoadedProfile] = {}
    for device in written.devices:
        profile = _profile_of(device, library, found, texts)
        if profile is not None:
            loaded[profile.profile.id] = profile
            found += in_file(device.file, device_misfits(device.settings, profile.profile))
            found += in_file(
                device.file, device_file_misfits(device.settings, credentials=credentials)
            )
        files.append(
            DeviceFile(
                file=device.file,
                settings=device.settings,
                profile=None if profile is None else profile.profile,
            )
        )
    found += device_findings(files)
    agent = written.agent
    if agent is not None:
        found += gateway_findings(agent, written.agent_file, files)
        misfits = file_misfits(agent, credentials=credentials)
        found += in_file(written.agent_file, misfits)
    findings = (*written.findings, *written.as_written(found))
    if agent is None or findings:
        raise ConfigurationError(problems_of(findings, texts))
    site_files = _site_files(site, written, loaded.values())
    plan = _plan(agent, [device.settings for device in written.devices], loaded)
    return Loaded(plan=replace(plan, edition=edition_of(site_files)), site_files=site_files)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A plan, and the files that the site wrote for it: path below the folder -> bytes."""

    plan: Plan
    site_files: Mapping[str, bytes]


def edition_of(site_files: Mapping[str, bytes]) -> str:
    """Return the name of these files: the same ones, the same name."""
    digest = sha256()
    for name, content in sorted(site_files.items()):
        digest.update(sha256(name.encode()).digest() + sha256(content).digest())
    return digest.hexdigest()


def _site_files(
    site: Path, written: Written, loaded: Iterable[LoadedProfile]
) -> Mapping[str, bytes]:
    """Return the files of devices.d, and those of profiles.d that a device uses."""
    devices = {device.file: written.texts[device.file].encode() for device in written.devices}
    profiles = {file.name: file.content for one in loaded for file in one.files.values()}
    return {
        str(Path(name).relative_to(site)): content
        for name, content in (devices | profiles).items()
        if any(Path(name).is_relative_to(site / part) for part in (DEVICES_FOLDER, PROFILES_FOLDER))
    }


def _profile_of(
    device: WrittenDevice, library: Library, findings: list[Finding], texts: dict[str, str]
) -> LoadedProfile | None:
    """Return the profile of a device; what is wrong with it joins the findings, once."""
    name = device.settings.profile
    known = library.paths
    if name not in known:
        message = f"there is no profile '{name}'"
        remedy = did_you_mean(name, known)
        findings.append(
            Finding(file=device.file, path=("profile",), message=message, remedy=remedy)
        )
        return None
    profile = library.load(name)
    if isinstance(profile, LoadedProfile):
        return profile
    findings += [finding for finding in profile.findings if finding not in findings]
    texts.update(profile.texts)
    return None


def _plan(
    agent: AgentFile, devices: Sequence[DeviceSettings], loaded: Mapping[str, LoadedProfile]
) -> Plan:
    resolved = tuple(
        device_of(device, loaded[device.profile], facility=agent.gateway.facility)
        for device in devices
    )
    return Plan(
        settings=agent,
        devices=resolved,
        confirmations=tuple(
            Confirmed(device=device.name, said=said)
            for device in devices
            for said in device.confirmations
        ),
        bundle=Document.of(bundle_of(agent, devices, resolved, loaded)),
        profiles=tuple(
            Document.of(content)
            for content in dict.fromkeys(
                file.content for one in loaded.values() for file in one.files.values()
            )
        ),
    )
