"""The files that `edge-agent device` writes: numbers given once, names, modes, comments kept."""

import os
import tomllib
from pathlib import Path

import pytest

from edge_agent.config.loading import load_plan
from edge_agent.errors import ExitCode, OperatorError
from edge_agent.technician.placing import Site, put_new
from edge_agent.wire.bundle import ChannelRow
from tests.edge_agent.technician.gateway import (
    KNOWN,
    OPEN,
    add,
    cdab,
    command,
    gateway,
    written,
)
from tests.edge_agent.technician.registers import holding

pytestmark = pytest.mark.asyncio


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return gateway(tmp_path, OPEN)


async def test_a_channel_number_is_not_given_again_after_its_device_was_removed(
    tmp_path: Path,
) -> None:
    config = gateway(tmp_path, KNOWN)
    async with holding(cdab) as port:
        for name in ("one", "two"):
            words = add(config, port, "--channel", "v0", "--channel", "v1", "--yes", name=name)
            assert await command(*words) == ExitCode.OK
        (config.parent / "devices.d" / "two.toml").unlink()
        assert await command(*add(config, port, "--yes", name="three")) == ExitCode.OK
    numbers = [row.channel for device in _devices(config) for row in device]
    assert numbers == [1, 2, 5, 6, 7, 8, 9]


def _devices(config: Path) -> list[list[ChannelRow]]:
    devices = load_plan(config, environ={}, overrides={}).devices
    return [list(device.channels) for device in sorted(devices, key=lambda one: one.name)]


async def test_a_number_in_a_file_that_nobody_can_read_is_not_given_again(tmp_path: Path) -> None:
    config = gateway(tmp_path, KNOWN)
    (tmp_path / "devices.d" / "broken.toml").write_text(
        "name = \n[[channels]]\nnumber = 1_7 # seventeen"
    )
    (tmp_path / "devices.d" / "old.toml.disabled").write_text("[[channels]]\nnumber = 20\n")
    async with holding(cdab) as port:
        assert await command(*add(config, port, "--channel", "v0", "--yes")) == ExitCode.OK
    assert written(config)["channels"] == [{"number": 21, "point": "v0", "name": "stack-1 v0"}]


async def test_who_was_overtaken_by_somebody_else_is_told_and_writes_nothing(
    tmp_path: Path,
) -> None:
    config = gateway(tmp_path, KNOWN)
    site = Site.of(config, {})
    put_new(site, site.path_of("theirs"), "[[channels]]\nnumber = 1\n", [1])
    with pytest.raises(OperatorError, match="somebody else has added a device") as caught:
        put_new(site, site.path_of("ours"), "[[channels]]\nnumber = 1\n", [1])
    assert caught.value.exit_code == ExitCode.TRY_AGAIN
    assert not site.path_of("ours").exists()


async def test_numbers_that_cannot_be_understood_are_not_guessed(tmp_path: Path) -> None:
    config = gateway(tmp_path, KNOWN)
    (tmp_path / "devices.d" / ".channel-numbers").write_text("higest = 7")
    with pytest.raises(OperatorError, match="Write highest = NUMBER"):
        await command(*add(config, 1, "--offline", "--yes"))


async def test_without_a_gateway_nothing_is_added(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="`edge-agent init` makes one"):
        await command(*add(tmp_path / "agent.toml", 1, "--offline", "--yes"))


async def test_a_file_keeps_its_mode_and_a_new_one_can_be_read_by_the_agent(
    config: Path,
) -> None:
    before = os.umask(0o077)
    try:
        async with holding(cdab) as port:
            words = add(config, port, "--panel", "v0=118.3", "--yes")
            assert await command(*words) == ExitCode.OK
            path = config.parent / "devices.d" / "stack-1.toml"
            assert path.stat().st_mode & 0o777 == 0o644
            path.chmod(0o640)
            where = ("stack-1", "--config", str(config), "--who", "B. Tech", "--yes")
            assert await command("confirm", *where, "--panel", "v0=118.3") == ExitCode.OK
            assert path.stat().st_mode & 0o777 == 0o640
    finally:
        os.umask(before)


async def test_a_name_that_is_taken_and_a_file_that_is_there_are_refused(tmp_path: Path) -> None:
    config = gateway(tmp_path, KNOWN)
    async with holding(cdab) as port:
        assert await command(*add(config, port, "--yes")) == ExitCode.OK
        before = written(config)
        with pytest.raises(OperatorError, match="there is a device 'stack-1' already"):
            await command(*add(config, port, "--yes"))
    assert written(config) == before
    site = Site.of(config, {})
    with pytest.raises(OperatorError, match="exists already"):
        put_new(site, site.path_of("stack-1"), "", [99])
    assert written(config) == before


async def test_a_name_may_hold_what_no_file_name_should(tmp_path: Path) -> None:
    config = gateway(tmp_path, KNOWN)
    async with holding(cdab) as port:
        assert await command(*add(config, port, "--yes", name="../Kessel 1/NOx")) == ExitCode.OK
    assert written(config, "Kessel-1-NOx")["name"] == "../Kessel 1/NOx"


async def test_confirming_keeps_every_comment_and_adds_what_was_open(config: Path) -> None:
    path = config.parent / "devices.d" / "old.toml"
    async with holding(cdab) as port:
        head = (
            '# mine\nname = "old"  # ours\nprofile = "acme/float"\n'
            f'endpoint = "tcp://127.0.0.1:{port}"\n'
        )
        channels = "".join(
            f'# of people\n[[channels]]\nnumber = {3 + index}\npoint = "v{index}"\n'
            f'name = "{index}"\n'
            for index in range(5)
        )
        path.write_text(head + "\n" + channels)
        where = ("old", "--config", str(config), "--who", "B. Tech", "--yes")
        for _ in range(2):
            assert await command("confirm", *where, "--panel", "v0=118.3") == ExitCode.OK
    text = path.read_text()
    for line in (*head.splitlines(), *channels.splitlines()):
        assert line in text
    file = tomllib.loads(text)
    assert file["word_order"] == "CDAB"
    said = [(one["what"], one.get("channels")) for one in file["confirmations"]]
    # The second time it is known, and somebody stands for it once more.
    assert said == [("word_order", None), ("reading", [3])] * 2
    load_plan(config, environ={}, overrides={})


async def test_confirming_nothing_is_refused(tmp_path: Path) -> None:
    config = gateway(tmp_path, KNOWN)
    async with holding(cdab) as port:
        assert await command(*add(config, port, "--yes")) == ExitCode.OK
        with pytest.raises(OperatorError, match="there is nothing to confirm"):
            await command("confirm", "stack-1", "--config", config, "--yes")
