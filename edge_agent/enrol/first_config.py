"""The first agent.toml of a gateway, with what it cannot do without. Pure."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

_TEMPLATE: Final = """\
# Configuration of one gateway; every key is explained in docs/configuration.md.
# Devices are files of their own in devices.d/ beside this one. `edge-agent check` reads all of it.

[gateway]
id = "{gateway}"
facility = {facility}
simulated = {simulated}
key_file = {key_file}

[buffer]
path = {buffer}

[centre]
url = {url}
receipt_key_file = {receipt_key_file}
{ca_line}{certificate_line}
[health]
socket = {socket}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstConfig:
    """Who the gateway is, and where its files are; all paths are absolute."""

    gateway: UUID
    facility: str
    url: str
    simulated: bool
    key_file: Path
    buffer: Path
    receipt_key_file: Path
    ca_file: Path | None
    certificate_file: Path | None
    socket: Path

    @property
    def text(self) -> str:
        """The file."""
        return _TEMPLATE.format(
            gateway=self.gateway,
            facility=_quoted(self.facility),
            simulated=str(self.simulated).lower(),
            key_file=_quoted(self.key_file),
            buffer=_quoted(self.buffer),
            url=_quoted(self.url),
            receipt_key_file=_quoted(self.receipt_key_file),
            ca_line=_line("ca_file", self.ca_file),
            certificate_line=_line("certificate_file", self.certificate_file),
            socket=_quoted(self.socket),
        )


def _line(key: str, path: Path | None) -> str:
    return "" if path is None else f"{key} = {_quoted(path)}\n"


def _quoted(value: Path | str) -> str:
    """Return a TOML string; JSON writes it in the same way."""
    return json.dumps(str(value), ensure_ascii=False)
