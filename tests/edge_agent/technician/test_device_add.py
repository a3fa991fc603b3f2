"""`edge-agent device`: a device that was never configured, written down as somebody saw it."""

import asyncio
import json
import os
import tomllib
from pathlib import Path

import pytest

from edge_agent.cli.device import main
from edge_agent.config.loading import load_plan
from edge_agent.errors import ExitCode, OperatorError
from edge_agent.technician.placing import Site, put_new
from edge_agent.wire.bundle import ChannelRow
from tests.edge_agent.technician.gateway import KNOWN, OPEN, cdab, gateway
from tests.edge_agent.technician.registers import holding

pytestmark = pytest.mark.asyncio


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return gateway(tmp_path, OPEN)


async def command(*words: str | Path) -> int:
    return await asyncio.to_thread(main, [str(word) for word in words])


def add(config: Path, port: int, *more: str, name: str = "stack-1") -> tuple[str, ...]:
    endpoint = f"tcp://127.0.0.1:{port}"
    where = ("--profile", "acme/float", "--endpoint", endpoint, "--config", str(config))
    return ("add", name, *where, "--who", "A. Tech", *more)


def written(config: Path, name: str = "stack-1") -> dict[str, object]:
    return tomllib.loads((config.parent / "devices.d" / f"{name}.toml").read_text())


async def test_what_was_compared_is_written_and_runs(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with holding(cdab) as port:
        words = add(config, port, "--panel", "v0=118.3", "--yes", "--json")
        assert await command(*words) == ExitCode.OK
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["settled"] == {"word_order": "CDAB"}
    file = written(config)
    assert file["word_order"] == "CDAB"
    (order, reading) = told["confirmations"]
    assert (order["what"], order["who"]) == ("word_order", "A. Tech")
    assert (reading["what"], reading["channels"]) == ("reading", [1])
    assert reading["how"] == "panel 118.3, read 118.25 ppm"
    plan = load_plan(config, environ={}, overrides={})
    assert [row.channel for row in plan.devices[0].channels] == [1, 2, 3, 4, 5]


async def test_a_word_order_is_never_written_without_a_look_at_the_panel(config: Path) -> None:
    async with holding(cdab) as port:
        with pytest.raises(OperatorError, match="nothing was compared with the front panel"):
            await command(*add(config, port, "--yes"))
    assert not list((config.parent / "devices.d").glob("*.toml"))


async def test_a_panel_that_shows_something_else_writes_nothing(config: Path) -> None:
    async with holding(cdab) as port:
        with pytest.raises(OperatorError, match="Nothing was written"):
            await command(*add(config, port, "--panel", "v0=77", "--yes"))
    assert not list((config.parent / "devices.d").glob("*.toml"))


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


async def test_a_dry_run_shows_the_file_and_leaves_nothing(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with holding(cdab) as port:
        words = add(config, port, "--panel", "v0=118.3", "--dry-run")
        assert await command(*words) == ExitCode.OK
    assert 'word_order = "CDAB"' in capsys.readouterr().out
    assert list((config.parent / "devices.d").iterdir()) == []


async def test_nobody_to_agree_writes_nothing(tmp_path: Path) -> None:
    config = gateway(tmp_path, KNOWN)
    async with holding(cdab) as port:
        with pytest.raises(OperatorError, match="Say --yes, or --dry-run"):
            await command(*add(config, port))
    assert list((config.parent / "devices.d").iterdir()) == []


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--set", "period_s=0.5"), "timeout_s 0.8 is not below period_s 0.5"),
        (("--set", "unit_id=999"), "unit_id"),
        (("--channel", "v9"), "has no point 'v9'. Known: v0"),
        (("--channel", "v0,colour=red"), "write POINT,KEY=VALUE"),
        (("--channel", "v0,span=wide"), "write POINT,KEY=VALUE"),
        (("--channel", "v0,span=0"), "0 is not above 0"),
        (("--channel", "v0,parameter=NOx"), "the profile says 'P0'"),
        (("--channel", "v0", "--channel", "v0,name=b"), "is the point of another channel"),
        (("--panel-unit", "v7=ppm"), "write POINT=VALUE"),
    ],
)
async def test_what_is_wrong_is_told_before_anything_is_written(
    more: tuple[str, ...], told: str, config: Path
) -> None:
    async with holding(cdab) as port:
        with pytest.raises(OperatorError) as caught:
            await command(*add(config, port, "--panel", "v0=118.3", "--yes", *more))
    assert told in str(caught.value)
    assert not list((config.parent / "devices.d").glob("*"))


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


async def test_a_fault_elsewhere_does_not_keep_a_device_from_being_added(tmp_path: Path) -> None:
    config = gateway(tmp_path, KNOWN)
    (tmp_path / "centre-receipt.pem").unlink()
    (tmp_path / "devices.d" / "broken.toml").write_text("name = ")
    (tmp_path / "devices.d" / "gm32.toml").write_text(  # nobody has confirmed its word order
        'name = "gm32"\nprofile = "sick/gm32"\nendpoint = "tcp://10.0.0.1"\n'
        '[[channels]]\nnumber = 4\npoint = "pressure_hpa"\nname = "p"\n'
    )
    async with holding(cdab) as port:
        assert await command(*add(config, port, "--yes")) == ExitCode.OK
    assert written(config)["name"] == "stack-1"


async def test_a_name_may_hold_what_no_file_name_should(tmp_path: Path) -> None:
    config = gateway(tmp_path, KNOWN)
    async with holding(cdab) as port:
        assert await command(*add(config, port, "--yes", name="../Kessel 1/NOx")) == ExitCode.OK
    assert written(config, "Kessel-1-NOx")["name"] == "../Kessel 1/NOx"


SELECTABLE = KNOWN.replace('resolution = "0.01"', 'resolution = "0.01"\nunit_is_selectable = true')


async def test_a_unit_that_people_can_change_is_taken_only_as_the_panel_shows_it(
    tmp_path: Path,
) -> None:
    config = gateway(tmp_path, SELECTABLE)
    channels = ("--channel", "v0", "--channel", "v1", "--yes")
    async with holding(cdab) as port:
        wrong: tuple[tuple[str, ...], ...]
        wrong = ((), ("--panel-unit", "v0=ppm"), ("--panel-unit", "v0=mg/m3"))
        for units in wrong:
            with pytest.raises(OperatorError, match="nobody has seen ppm on its front panel"):
                await command(*add(config, port, *channels, *units))
        seen = ("--panel-unit", "v0=ppm", "--panel-unit", "v1=ppm")
        assert await command(*add(config, port, *channels, *seen)) == ExitCode.OK
    (said,) = tomllib.loads((tmp_path / "devices.d" / "stack-1.toml").read_text())["confirmations"]
    assert (said["channels"], said["how"]) == ([1, 2], "the front panel shows ppm")
    load_plan(config, environ={}, overrides={})


async def test_a_device_that_cannot_be_reached_is_added_offline_only_if_nothing_is_open(
    tmp_path: Path, config: Path
) -> None:
    with pytest.raises(OperatorError, match="Check address, port and cables"):
        await command(*add(config, 1, "--panel", "v0=1", "--yes"))
    with pytest.raises(OperatorError, match="do not say the word_order"):
        await command(*add(config, 1, "--offline", "--yes"))
    assert (
        await command(*add(config, 1, "--offline", "--yes", "--set", 'word_order="CDAB"'))
        == ExitCode.OK
    )
    assert "confirmations" not in written(config)


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
    # The second time nothing is open any more.
    assert said == [("word_order", None), ("reading", [3]), ("reading", [3])]
    load_plan(config, environ={}, overrides={})


async def test_confirming_nothing_is_refused(tmp_path: Path) -> None:
    config = gateway(tmp_path, KNOWN)
    async with holding(cdab) as port:
        assert await command(*add(config, port, "--yes")) == ExitCode.OK
        with pytest.raises(OperatorError, match="there is nothing to confirm"):
            await command("confirm", "stack-1", "--config", config, "--yes")


async def test_a_device_that_refuses_everything_is_not_written(config: Path) -> None:
    async with holding(lambda _: {}) as port:
        with pytest.raises(OperatorError, match="refuses every address"):
            await command(*add(config, port, "--panel", "v0=118.3", "--yes"))
    assert not list((config.parent / "devices.d").glob("*"))
