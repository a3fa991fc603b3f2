"""A gateway without devices, and a device that holds five floats."""

import asyncio
import tomllib
from collections.abc import Mapping
from pathlib import Path

from edge_agent.cli import init
from edge_agent.cli.device import main
from tests.edge_agent.technician.registers import profile_text, words_of, written_profile

VALUES = [118.25, 42.5, 20.75, 5.125, 13.5]
OPEN = profile_text([(0.0, 500.0)] * 5)
KNOWN = profile_text([(0.0, 500.0)] * 5, word_order="CDAB")


def cdab(_: int) -> Mapping[int, int]:
    return dict(enumerate(words_of(VALUES, "CDAB"), 10))


def gateway(folder: Path, profile: str) -> Path:
    """Return the agent.toml of a gateway that may talk to its centre and has no device."""
    config = written_profile(folder, profile)
    where = ("--config", str(config), "--state", str(folder), "--socket", str(folder / "s"))
    assert init.main(("--facility", "F", "--centre", "http://127.0.0.1:9", *where)) == 0
    (folder / "centre-receipt.pem").write_bytes((folder / "gateway.pub").read_bytes())
    return config


async def command(*words: str | Path) -> int:
    return await asyncio.to_thread(main, [str(word) for word in words])


def add(config: Path, port: int, *more: str, name: str = "stack-1") -> tuple[str, ...]:
    endpoint = f"tcp://127.0.0.1:{port}"
    where = ("--profile", "acme/float", "--endpoint", endpoint, "--config", str(config))
    return ("add", name, *where, "--who", "A. Tech", *more)


def written(config: Path, name: str = "stack-1") -> dict[str, object]:
    return tomllib.loads((config.parent / "devices.d" / f"{name}.toml").read_text())


def tables(config: Path, name: str) -> list[dict[str, object]]:
    """Return the tables of one name in the file of stack-1."""
    found = written(config)[name]
    assert isinstance(found, list)
    return found
