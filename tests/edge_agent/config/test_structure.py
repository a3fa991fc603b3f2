"""Tables into settings: strict types, exact numbers, every misfit at once."""

import tomllib
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Final
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.config.constraint import FaultsError, Matching, Within, constraints_of
from edge_agent.config.device_model import ChannelSettings, DeviceSettings
from edge_agent.config.device_parts import Limits
from edge_agent.config.mending import as_written, mended
from edge_agent.config.model import AgentFile, BufferSettings, CentreSettings
from edge_agent.config.structure import Misfit, did_you_mean, structure
from edge_agent.config.vocabulary import LogLevel

KEY: Final = Path("key.pem")
NOBODY: Final = UUID(int=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Everything:
    """One key of every type."""

    text: str = ""
    truth: bool = False
    whole: int = 0
    number: float = 0.0
    exact: Decimal = Decimal(0)
    uuid: UUID = NOBODY
    path: Path = Path()
    word: LogLevel = LogLevel.INFO
    maybe: int | None = None
    many: tuple[int, ...] = ()
    limits: Limits = field(default_factory=Limits)


def read(text: str) -> tuple[Everything | None, tuple[Misfit, ...]]:
    """Return what a line of TOML says."""
    return structure(tomllib.loads(text, parse_float=Decimal), Everything)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('text = "NO"', Everything(text="NO")),
        ("truth = true", Everything(truth=True)),
        ("whole = 0x10", Everything(whole=16)),
        ("number = 3", Everything(number=3.0)),
        ("number = 0.1", Everything(number=0.1)),
        ("exact = 0.1", Everything(exact=Decimal("0.1"))),
        ("exact = 3", Everything(exact=Decimal(3))),
        ('exact = "-0.30"', Everything(exact=Decimal("-0.30"))),
        ("exact = 1e3", Everything(exact=Decimal(1000))),
        ('path = "a/b"', Everything(path=Path("a/b"))),
        ('word = "debug"', Everything(word=LogLevel.DEBUG)),
        ("maybe = 7", Everything(maybe=7)),
        ("many = [1, 2]", Everything(many=(1, 2))),
        ("limits = { low = 1.5 }", Everything(limits=Limits(low=Decimal("1.5")))),
    ],
)
def test_a_value_of_the_right_type_is_read(text: str, expected: Everything) -> None:
    assert read(text) == (expected, ())


@pytest.mark.parametrize(
    "text",
    [
        "text = 1",
        "text = true",
        "truth = 1",
        'truth = "true"',
        "whole = true",
        "whole = 1.0",
        'whole = "1"',
        "number = true",
        'number = "1"',
        "number = nan",
        "number = inf",
        "exact = true",
        'exact = "NaN"',
        'exact = "one"',
        "exact = -inf",
        "exact = 1e40",
        "exact = 1e-40",
        "uuid = 1",
        'uuid = "x"',
        "path = 1",
        'path = ""',
        "word = 1",
        'word = "INFO!"',
        'maybe = ""',
        "many = 1",
        "many = [1, 'x']",
        "limits = 1",
        "limits = []",
        "date = 2026-11-20",
        "text = 2026-11-20",
    ],
)
def test_a_value_of_another_type_is_refused_where_it_stands(text: str) -> None:
    settings, (misfit,) = read(text)

    assert settings is None
    assert misfit.path[0] == text.split(" ", 1)[0]
    assert misfit.message
    assert misfit.remedy


@given(number=st.decimals(allow_nan=False, allow_infinity=False, places=12, max_value=10**20))
def test_decimal_numbers_are_read_exactly(number: Decimal) -> None:
    settings, misfits = read(f"exact = {number:f}")

    assert misfits == ()
    assert settings is not None
    assert settings.exact == number


def test_every_misfit_is_found_at_once() -> None:
    _, misfits = read('whole = "x"\nnumber = "y"\nmany = [1, "a", "b"]\nlimits.lwo = 1\nothr = 1')

    assert {misfit.path for misfit in misfits} == {
        ("whole",),
        ("number",),
        ("many", 1),
        ("many", 2),
        ("limits", "lwo"),
        ("othr",),
    }


@pytest.mark.parametrize(
    ("word", "known", "remedy"),
    [
        ("baudrat", ["baudrate", "parity"], "Did you mean 'baudrate'?"),
        ("abcd", ["ABCD", "CDAB"], "Did you mean 'ABCD'?"),
        ("xyz", ["b", "a"], "known: a, b"),
        ("x", [], "there is none"),
    ],
)
def test_a_remedy_names_the_nearest_word_or_all(word: str, known: list[str], remedy: str) -> None:
    assert did_you_mean(word, known) == remedy


def test_an_error_that_is_not_the_operators_is_not_swallowed() -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Broken:
        """Settings whose constructor has a mistake of ours."""

        text: str

        def __post_init__(self) -> None:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        structure({"text": ""}, Broken)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Limits(low=Decimal(2), high=Decimal(2)),
        lambda: Limits(low=Decimal("NaN"), high=Decimal(2)),
        lambda: Limits(max_rate_per_s=Decimal(0)),
        lambda: Limits(gap_after_s=0.0),
        lambda: Limits(stuck_after_s=float("nan")),
        lambda: ChannelSettings(number=0, point="a", name="a"),
        lambda: ChannelSettings(number=1, point="a", name="\n"),
        lambda: BufferSettings(commit_interval_s=60.1),
        lambda: CentreSettings(url="http://10.0.0.1", receipt_key_file=KEY),
        lambda: CentreSettings(url="https://centre", receipt_key_file=KEY),
        lambda: CentreSettings(url="https://centre:99999", receipt_key_file=KEY),
        lambda: CentreSettings(url="ftp://centre", receipt_key_file=KEY),
    ],
)
def test_settings_made_in_python_are_held_to_the_same_limits(make: type) -> None:
    with pytest.raises((FaultsError, ArithmeticError)):
        make()


@pytest.mark.parametrize("url", ["http://localhost:1", "http://127.0.0.1", "http://[::1]:8080"])
def test_plain_http_goes_to_this_machine_only(url: str) -> None:
    assert CentreSettings(url=url, receipt_key_file=KEY).url == url


def test_constraints_are_found_inside_optional_types() -> None:
    assert constraints_of(str) == ()
    assert constraints_of(Limits.__annotations__["stuck_after_s"]) == (Within(0.001, 31_536_000.0),)
    assert Within(1, 2).fault("k", "text") is None
    assert Matching("a", "an a").fault("k", 1) is None


def test_what_fits_is_read_although_something_else_does_not() -> None:
    table = {
        "name": "s",
        "profile": "p",
        "endpoint": "e",
        "unit_id": 999,
        "channels": [
            {"number": 0, "point": "a", "name": "a"},
            {"number": 2, "point": "b", "name": "b", "limits": {"low": "x"}},
            {"number": 3, "point": "c", "name": "c"},
        ],
    }

    read = mended(table, DeviceSettings)

    assert read.settings is not None
    assert read.settings.unit_id is None
    assert [channel.number for channel in read.settings.channels] == [3]
    assert as_written(("channels", 0, "name"), read.kept) == ("channels", 2, "name")
    assert as_written(("unit_id",), read.kept) == ("unit_id",)
    assert len(read.misfits) == 3


def test_what_is_good_is_not_mended() -> None:
    table = {"centre": {"url": "http://localhost", "receipt_key_file": "k"}}

    read = mended(table, AgentFile)

    assert read.settings is None
    assert [misfit.path for misfit in read.misfits] == [("gateway",)]
