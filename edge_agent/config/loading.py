"""Reads the files of a gateway, checks them as a whole, and makes the plan of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from edge_agent.config.bundling import bundle_of
from edge_agent.config.device_rules import device_misfits
from edge_agent.config.files import device_file_misfits, file_misfits
from edge_agent.config.finding import Finding, in_file, problems_of
from edge_agent.config.library import Library, LoadedProfile
from edge_agent.config.model import AgentFile, DeviceSettings
from edge_agent.config.plan import Confirmed, Plan
from edge_agent.config.problem import ConfigurationError
from edge_agent.config.resolve import device_of
from edge_agent.config.rules import DeviceFile, device_findings, gateway_findings
from edge_agent.config.settings import WrittenDevice, read_settings
from edge_agent.config.structure import did_you_mean
from edge_agent.wire.document import Document


def load_plan(
    agent_toml: Path,
    *,
    environ: Mapping[str, str],
    overrides: Mapping[str, str | int | bool],
) -> Plan:
    """Return the plan that agent.toml, devices.d and profiles.d beside it give.

    Args:
        agent_toml: the file of the gateway; relative paths in it start from its folder.
        environ: the environment; what it says stands before the files.
        overrides: dotted setting -> value, from flags; stand before the environment.

    Raises:
        ConfigurationError: with every problem of every file.

    """
    written = read_settings(agent_toml, environ=environ, overrides=overrides)
    texts = dict(written.texts)
    library = Library.beside(agent_toml)
    found: list[Finding] = []
    files: list[DeviceFile] = []
    loaded: dict[str, LoadedProfile] = {}
    for device in written.devices:
        profile = _profile_of(device, library, found, texts)
        if profile is not None:
            loaded[profile.profile.id] = profile
            found += in_file(device.file, device_misfits(device.settings, profile.profile))
            found += in_file(device.file, device_file_misfits(device.settings))
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
        credentials = environ.get("CREDENTIALS_DIRECTORY")
        misfits = file_misfits(agent, credentials=Path(credentials) if credentials else None)
        found += in_file(written.agent_file, misfits)
    findings = (*written.findings, *written.as_written(found))
    if agent is None or findings:
        raise ConfigurationError(problems_of(findings, texts))
    return _plan(agent, [device.settings for device in written.devices], loaded)


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
