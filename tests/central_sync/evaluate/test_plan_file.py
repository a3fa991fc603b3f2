"""plan.toml: what is taken, and that every problem is said at once."""

from decimal import Decimal
from pathlib import Path

import pytest

from central_sync.config import ExitCode, OperatorError
from central_sync.evaluate.plan_file import load_plan
from central_sync.programs.plan import Plan
from tests.central_sync.evaluate.signing_gateway import GATEWAY, HOUR, TEN

GOOD = f"""
[[facilities]]
id = "PLANT"
utc_offset_minutes = -300

[[facilities.units]]
id = "1"
operating = {{ gateway = "{GATEWAY}", channel = 2, threshold = 5.25 }}

[[facilities.units]]
id = "2"

[[facilities.systems]]
id = "AA1"
unit = "1"
parameter = "NOXC"
channels = [
  {{ gateway = "{GATEWAY}", channel = 1, from = 2026-11-20 }},
  {{ gateway = "{GATEWAY}", channel = 7, from = 2026-11-20T05:00:00-05:00 }},
]
"""


def load(folder: Path, text: str) -> Plan:
    file = folder / "plan.toml"
    file.write_text(text, encoding="utf-8")
    return load_plan(file)


def problems(folder: Path, text: str) -> str:
    with pytest.raises(OperatorError) as caught:
        load(folder, text)
    assert caught.value.exit_code is ExitCode.CONFIGURATION
    return str(caught.value)


def test_a_plan_is_read_whole(tmp_path: Path) -> None:
    (place,) = load(tmp_path, GOOD).facilities
    assert (place.id, place.utc_offset_minutes) == ("PLANT", -300)
    operating = place.units[0].operating
    assert operating is not None
    assert (operating.gateway, operating.channel) == (GATEWAY, 2)
    assert operating.threshold == Decimal("5.25")
    assert place.units[1].operating is None
    (system,) = place.systems
    assert [one.from_ns for one in system.channels] == [TEN - 10 * HOUR, TEN]


def test_without_a_file_the_plan_is_empty(tmp_path: Path) -> None:
    assert load_plan(tmp_path / "plan.toml") == Plan()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("-300", "-307", "must be a multiple of 15"),
        ("-300", "6000", "no clock on Earth"),
        ("-300", "true", "must be a whole number"),
        ('"NOXC"', '"NOX"', "must be one of SO2C, NOXC"),
        ('unit = "1"', 'unit = "9"', "there is no unit '9'; known: 1, 2"),
        ('id = "2"', 'id = "1"', "unit 1 is named twice"),
        ('id = "2"', 'id = ""', "must be text"),
        ("5.25", '"much"', "must be a decimal number"),
        ("5.25", "inf", "must be a finite number"),
        ("2026-11-20 }", "20261120 }", "must be a date"),
        (
            "utc_offset_minutes",
            "utc_offset",
            "utc_offset: unknown key. Did you mean 'utc_offset_minutes'?",
        ),
        ("from =", "since =", "from is missing"),
        (f'{GATEWAY}", channel = 1', 'x", channel = 1', "badly formed hexadecimal UUID string"),
        (
            f'{GATEWAY}", channel = 1',
            '00000000-0000-4000-8000-000000000009", channel = 1',
            "must be on the same gateway",
        ),
        ("[[facilities]]", "[[facilities]\n", "cannot be read as TOML"),
    ],
)
def test_a_problem_says_what_is_wrong(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert words in problems(tmp_path, GOOD.replace(old, new, 1))


def test_every_problem_is_said_at_once(tmp_path: Path) -> None:
    told = problems(tmp_path, GOOD.replace("-300", "7").replace("NOXC", "X") + GOOD)
    assert "multiple of 15" in told
    assert "parameter 'X'" in told
    assert "facility is named twice" in told


def test_a_unit_without_an_operating_channel_takes_systems_of_any_gateway(tmp_path: Path) -> None:
    text = GOOD.replace('unit = "1"', 'unit = "2"')
    assert load(tmp_path, text).facilities[0].systems[0].unit == "2"


def test_a_file_that_cannot_be_read_is_the_operators(tmp_path: Path) -> None:
    (tmp_path / "plan.toml").mkdir()
    with pytest.raises(OperatorError, match="cannot be read"):
        load_plan(tmp_path / "plan.toml")


def test_the_example_in_the_documentation_is_a_plan(tmp_path: Path) -> None:
    page = Path(__file__).parents[3] / "docs" / "calculations.md"
    example = page.read_text(encoding="utf-8").split("```toml\n")[1].split("```")[0]
    (place,) = load(tmp_path, example).facilities
    assert place.units[0].operating is not None
    assert place.systems[0].parameter == "NOXC"
