"""`edge-agent probe` against servers: what stands there, and how its registers have to be read."""

import asyncio
import json
import random
from collections.abc import Mapping
from pathlib import Path

import pytest

from edge_agent.cli.probe import main
from edge_agent.errors import ExitCode, OperatorError
from tests.edge_agent.technician.registers import (
    holding,
    profile_text,
    words_of,
    written_profile,
)

pytestmark = pytest.mark.asyncio

PLANT = ([118.25, 42.5, 20.75, 5.125, 13.5], (0.0, 500.0))


async def command(*words: str) -> int:
    return await asyncio.to_thread(main, words)


async def probed(
    capsys: pytest.CaptureFixture[str], *words: str
) -> tuple[int, dict[str, object], list[dict[str, object]]]:
    code = await command(*words, "--scans", "3", "--json")
    told = json.loads(capsys.readouterr().out)
    return code, told, told["readings"]


def at(first: int, words: list[int]) -> Mapping[int, int]:
    return {first + index: word for index, word in enumerate(words)}


def noisy(index: int, order: str, first: int = 10, noise: float = 0.01) -> Mapping[int, int]:
    """Return the registers of the plant at the time of a request."""
    draw = random.Random(index)  # noqa: S311 - a plant, not a secret
    values = [one * draw.uniform(1 - noise, 1 + noise) for one in PLANT[0]]
    return at(first, words_of(values, order))


@pytest.mark.parametrize("order", ["ABCD", "CDAB", "BADC", "DCBA"])
async def test_the_word_order_that_a_document_does_not_say_is_found(
    order: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = written_profile(tmp_path, profile_text([PLANT[1]] * 5))
    async with holding(lambda index: noisy(index, order)) as port:
        words = (f"tcp://127.0.0.1:{port}", "--profile", "acme/float", "--config", str(config))
        code, told, readings = await probed(capsys, *words)
    assert code == ExitCode.OK
    assert told["decided"] == order
    assert float(str(readings[0]["value"])) == pytest.approx(118.25, rel=0.011)
    assert [row["point"] for row in readings] == ["v0", "v1", "v2", "v3", "v4"]


@pytest.mark.parametrize(
    ("addressing", "first", "order"),
    [("zero_based", 10, "CDAB"), ("one_based", 9, "ABCD"), ("zero_based", 10, "DCBA")],
)
async def test_registers_that_are_one_off_are_found(
    addressing: str, first: int, order: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = profile_text([PLANT[1]] * 5, addressing="unknown")
    config = written_profile(tmp_path, text)
    around = at(0, [0] * 40)  # a device that refuses nothing
    async with holding(lambda index: {**around, **noisy(index, order, first)}) as port:
        words = (f"tcp://127.0.0.1:{port}", "--profile", "acme/float", "--config", str(config))
        _, told, _ = await probed(capsys, *words, "--panel", "v0=118.3")
    assert told["decided"] == f"{addressing} {order}"


async def test_one_off_with_words_swapped_shows_the_neighbours_value_and_is_not_decided_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The trap: half of one float and half of the next look like a plausible float."""
    alike = [100.0, 102.0, 104.0, 106.0, 108.0, 110.0, 112.0]
    text = profile_text([(0.0, 500.0)] * 5, addressing="unknown", first=12)
    config = written_profile(tmp_path, text)

    def registers(index: int) -> Mapping[int, int]:
        draw = random.Random(index)  # noqa: S311 - a plant, not a secret
        return at(10, words_of([one * draw.uniform(0.99, 1.01) for one in alike], "ABCD"))

    async with holding(registers) as port:
        words = (f"tcp://127.0.0.1:{port}", "--profile", "acme/float", "--config", str(config))
        _, told, _ = await probed(capsys, *words)
        assert told["decided"] is None
        # Values of neighbours that are 2 % apart: several points of the panel tell.
        panels = [f"v{index}={alike[index + 1]}" for index in range(5)]
        _, told, _ = await probed(capsys, *words, *[w for p in panels for w in ("--panel", p)])
    ways = told["ways"]
    assert isinstance(ways, list)
    assert ways[0]["way"] == "zero_based ABCD"


async def test_one_off_the_other_way_is_off_by_less_than_one_percent_and_is_never_decided(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = profile_text([PLANT[1]] * 5, addressing="unknown")
    config = written_profile(tmp_path, text)
    around = at(0, [0] * 40)
    async with holding(lambda index: {**around, **noisy(index, "CDAB", 9, 0.001)}) as port:
        words = (f"tcp://127.0.0.1:{port}", "--profile", "acme/float", "--config", str(config))
        _, told, _ = await probed(capsys, *words, "--panel", "v0=118.3")
        assert told["decided"] is None
        await command(*words, "--scans", "3", "--panel", "v0=118.3")
    assert "zero_based ABCD and one_based CDAB give values within 2 %" in capsys.readouterr().out


async def test_a_profile_that_is_wrong_shows_when_it_is_doubted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = written_profile(tmp_path, profile_text([PLANT[1]] * 5, word_order="ABCD"))
    async with holding(lambda index: noisy(index, "DCBA")) as port:
        words = (f"tcp://127.0.0.1:{port}", "--profile", "acme/float", "--config", str(config))
        _, told, readings = await probed(capsys, *words)
        assert told["decided"] == ""
        assert not 100 < float(str(readings[0]["value"])) < 130
        _, told, readings = await probed(capsys, *words, "--doubt", "--panel", "v0=118.3")
    assert told["decided"] == "zero_based DCBA"
    assert float(str(readings[0]["value"])) == pytest.approx(118.25, rel=0.011)


async def test_a_device_that_refuses_everything_is_told_with_what_to_check(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = written_profile(tmp_path, profile_text([None] * 2))
    async with holding(lambda _: {}) as port:
        words = (f"tcp://127.0.0.1:{port}", "--profile", "acme/float", "--config", str(config))
        assert await command(*words) == ExitCode.FAILURE
    told = capsys.readouterr().out
    assert "exception 2 (illegal data address)" in told
    assert "refuses every address: is it another model, or unit id?" in told


async def test_nobody_there_is_told_with_what_to_check(tmp_path: Path) -> None:
    config = written_profile(tmp_path, profile_text([None]))
    words = ("tcp://127.0.0.1:1", "--profile", "acme/float", "--config", str(config))
    with pytest.raises(OperatorError, match="Check address, port and cables") as caught:
        await command(*words)
    assert caught.value.exit_code == ExitCode.UNAVAILABLE


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("tcp://127.0.0.1:1",), "say with --profile what stands there"),
        (("stack-9",), "there is no device 'stack-9'"),
        (("tcp://h:1", "--profile", "acme/flaot"), "Did you mean 'acme/float'"),
        (("tcp://h:1", "--profile", "acme/float", "--point", "v7"), "has no point 'v7'"),
        (("tcp://h:1", "--profile", "acme/float", "--set", "unit_id"), "not TOML"),
        (("tcp://h:1", "--profile", "acme/float", "--set", "unit_id=999"), "unit_id"),
        (("tcp://h:1", "--profile", "acme/float", "--set", "unitid=9"), "Did you mean 'unit_id'"),
        (("mqtt://h:1", "--profile", "acme/float"), "Write it as tcp://HOST:PORT"),
        (("tcp://h:1", "--profile", "acme/float", "--panel", "v0=much"), "write POINT=VALUE"),
        (("tcp://h:1", "--profile", "acme/float", "--panel", "v9=1"), "write POINT=VALUE"),
    ],
)
async def test_what_was_given_wrong_is_told_in_one_sentence(
    words: tuple[str, ...], told: str, tmp_path: Path
) -> None:
    config = written_profile(tmp_path, profile_text([None]))
    config.write_text("")
    with pytest.raises(OperatorError) as caught:
        await command(*words, "--config", str(config))
    assert told in str(caught.value)


async def test_a_device_of_the_configuration_is_probed_by_its_name_before_it_can_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = written_profile(tmp_path, profile_text([PLANT[1]] * 5))
    config.write_text("")  # a gateway that is not even enrolled
    (tmp_path / "devices.d").mkdir()
    async with holding(lambda index: noisy(index, "BADC")) as port:
        channels = "".join(
            f'[[channels]]\nnumber = {7 + index}\npoint = "v{index}"\nname = "NOx {index}"\n'
            for index in range(5)
        )
        (tmp_path / "devices.d" / "s.toml").write_text(
            f'name = "stack-1"\nprofile = "acme/float"\nendpoint = "tcp://127.0.0.1:{port}"\n'
            + channels
        )
        _, told, readings = await probed(capsys, "stack-1", "--config", str(config))
    assert told["decided"] == "BADC"
    assert [row["channel"] for row in readings] == [7, 8, 9, 10, 11]
