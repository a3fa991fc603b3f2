"""`edge-agent device`: a device that was never configured, written down as somebody saw it."""

import json
import tomllib
from pathlib import Path

import pytest

from edge_agent.config.loading import load_plan
from edge_agent.errors import ExitCode, OperatorError
from tests.edge_agent.technician.gateway import (
    KNOWN,
    OPEN,
    add,
    cdab,
    command,
    gateway,
    tables,
    written,
)
from tests.edge_agent.technician.registers import holding

pytestmark = pytest.mark.asyncio


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return gateway(tmp_path, OPEN)


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


async def test_a_word_order_that_somebody_knows_is_compared_all_the_same(config: Path) -> None:
    async with holding(cdab) as port:
        known = ("--set", "word_order=CDAB", "--yes")
        with pytest.raises(OperatorError, match="the documents do not say word_order"):
            await command(*add(config, port, *known))
        wrong = ("--set", "word_order=ABCD", "--panel", "v0=118.3", "--yes")
        with pytest.raises(OperatorError, match=r"the panel shows 118\.3"):
            await command(*add(config, port, *wrong))
        assert await command(*add(config, port, *known, "--panel", "v0=118.3")) == ExitCode.OK
    assert [one["what"] for one in tables(config, "confirmations")] == ["word_order", "reading"]


async def test_a_panel_that_shows_something_else_writes_nothing(config: Path) -> None:
    async with holding(cdab) as port:
        with pytest.raises(OperatorError, match="Nothing was written"):
            await command(*add(config, port, "--panel", "v0=77", "--yes"))
    assert not list((config.parent / "devices.d").glob("*.toml"))


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


async def test_a_device_that_refuses_everything_is_not_written(config: Path) -> None:
    async with holding(lambda _: {}) as port:
        with pytest.raises(OperatorError, match="refuses every address"):
            await command(*add(config, port, "--panel", "v0=118.3", "--yes"))
    assert not list((config.parent / "devices.d").glob("*"))
