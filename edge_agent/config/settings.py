"""The files of a gateway as settings: agent.toml, and one file of devices.d beside it per device.

Every file is read, also when another one is wrong, so that one run shows every problem.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TypeVar

from edge_agent.config.device_model import DeviceSettings
from edge_agent.config.environment import Given, given_by, overlaid, traced
from edge_agent.config.finding import Finding, in_file
from edge_agent.config.mending import Kept, as_written, mended
from edge_agent.config.model import AgentFile
from edge_agent.config.reading import read_toml, unreadable

DEVICES_FOLDER = "devices.d"

Section = TypeVar("Section")


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenDevice:
    """The settings of one device, as far as they are good, and the file they were read from."""

    file: str
    settings: DeviceSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What the files of a gateway say, as far as it can be read, and what is wrong with the rest.

    `texts` holds the well-formed files by name, `given` what did not come from a file, `kept` what
    is left of the lists of a file (`mending`).
    """

    agent_file: str
    agent: AgentFile | None
    devices: tuple[WrittenDevice, ...]
    given: tuple[Given, ...]
    findings: tuple[Finding, ...]
    texts: Mapping[str, str]
    kept: Mapping[str, Kept]

    def as_written(self, findings: Iterable[Finding]) -> tuple[Finding, ...]:
        """Return findings about the settings as findings of where the settings were given.

        A finding about a key that did not fit in the first place is left out: what it speaks of is
        not what was written there.
        """
        placed = [
            replace(one, path=as_written(one.path, self.kept.get(one.file, {}))) for one in findings
        ]
        misfits = {(one.file, one.path) for one in self.findings}
        fitting = [
            one
            for one in traced(placed, self.agent_file, self.given)
            if not any((one.file, one.path[:n]) in misfits for n in range(1, len(one.path) + 1))
        ]
        return tuple(fitting)


def read_settings(
    agent_toml: Path,
    *,
    environ: Mapping[str, str],
    overrides: Mapping[str, str | int | bool],
    folder: Path | None = None,
) -> Written:
    """Return what the files of a gateway say; arguments as of `loading.load_plan`."""
    given, findings = given_by(environ, overrides)
    found = list(findings)
    texts: dict[str, str] = {}
    kept: dict[str, Kept] = {}
    agent: AgentFile | None = None
    file = read_toml(agent_toml)
    if isinstance(file, Finding):
        found.append(file)
    else:
        texts[file.name] = file.text
        read = mended(overlaid(file.table, _applicable(file.table, given)), AgentFile)
        found += traced(in_file(file.name, read.misfits), file.name, given)
        agent, kept[file.name] = read.settings, read.kept
    devices = []
    for path in _device_files((folder or agent_toml.parent) / DEVICES_FOLDER, found):
        device = read_toml(path)
        if isinstance(device, Finding):
            found.append(device)
            continue
        texts[device.name] = device.text
        device_read = mended(device.table, DeviceSettings)
        found += in_file(device.name, device_read.misfits)
        kept[device.name] = device_read.kept
        if device_read.settings is not None:
            settings = anchored_device(device_read.settings, agent_toml.parent.absolute())
            devices.append(WrittenDevice(file=device.name, settings=settings))
    return Written(
        agent_file=str(agent_toml),
        agent=agent and _anchored(agent, agent_toml.parent.absolute()),
        devices=tuple(devices),
        given=given,
        findings=tuple(found),
        texts=texts,
        kept=kept,
    )


def _device_files(folder: Path, findings: list[Finding]) -> list[Path]:
    """Return the files of a folder that describe devices; why it cannot be read is a finding.

    Not hidden ones: editors keep theirs there.
    """
    try:
        return sorted(
            path for path in folder.iterdir() if path.match("*.toml") and path.name[0] != "."
        )
    except FileNotFoundError:
        return []
    except OSError as fault:
        findings.append(unreadable(str(folder), fault))
        return []


def _applicable(table: Mapping[str, object], given: Sequence[Given]) -> tuple[Given, ...]:
    """Return the given settings, and the first of the facilities where the file names none."""
    gateway = table.get("gateway")
    if not isinstance(gateway, dict) or "facility" in gateway:
        return tuple(given)
    firsts = [
        Given(
            origin=one.origin,
            name=one.name,
            path=("gateway", "facility"),
            value=str(one.value[0]),
        )
        for one in given
        if one.path == ("gateway", "facilities") and isinstance(one.value, list) and one.value
    ]
    return (*given, *firsts)


def _anchored(agent: AgentFile, folder: Path) -> AgentFile:
    """Return the settings with every path absolute: relative ones start from the folder."""
    sections = {section.name: getattr(agent, section.name) for section in fields(agent)}
    return AgentFile(**{name: _absolute(section, folder) for name, section in sections.items()})


def anchored_device(device: DeviceSettings, folder: Path) -> DeviceSettings:
    """Return the settings of a device with every path in its tables absolute."""
    broker = None if device.broker is None else _absolute(device.broker, folder)
    opcua = None if device.opcua is None else _absolute(device.opcua, folder)
    tls = None if device.tls is None else _absolute(device.tls, folder)
    return replace(device, broker=broker, opcua=opcua, tls=tls)


def _absolute(section: Section, folder: Path) -> Section:
    paths = {
        field.name: folder / value
        for field in fields(section)  # type: ignore[arg-type]  # a dataclass
        if isinstance(value := getattr(section, field.name), Path)
    }
    return replace(section, **paths)  # type: ignore[type-var]  # the same
