"""The library of profiles: where they are looked for, and what the commands show of them."""

from importlib.resources import files
from pathlib import Path
from typing import Final

import pytest

from edge_agent.config.library import (
    SHIPPED,
    Library,
    device_file,
    listed,
    schema_text,
    shown,
    validated,
)
from edge_agent.config.plan import ConfigurationError
from edge_agent.config.vocabulary import ClassWord, PhaseWord, ReasonWord
from edge_agent.wire.vocabulary import Phase, QualityClass, Reason

ROOT: Final = Path(__file__).parents[3]
SIMULATED: Final = "emissionwatch/simulated-stack"
ABCD: Final = ROOT / "tests" / "cases" / "profiles" / "word-order-abcd.toml"


@pytest.fixture
def library(tmp_path: Path) -> Library:
    """Return the library of a gateway with one profile of its own and some files beside it."""
    folder = tmp_path / "profiles.d"
    (folder / "case").mkdir(parents=True)
    (folder / "case" / "word-order-abcd.toml").write_bytes(ABCD.read_bytes())
    (folder / "case" / "notes.txt").touch()
    (folder / "README").touch()
    return Library.beside(tmp_path / "agent.toml")


def test_a_library_holds_the_site_and_the_product(library: Library) -> None:
    assert list(library.paths) == sorted(library.paths)
    assert {"case/word-order-abcd", SIMULATED} <= set(library.paths)
    assert [one.profile.id for one in listed(library)] == list(library.paths)


def test_a_shipped_profile_cites_a_document_for_every_register() -> None:
    for one in listed(Library(folders=(files(SHIPPED),))):
        assert all(source.document and source.pages for source in one.profile.provenance)
        assert all(point.page for point in one.profile.points.values())
        assert all(status.page for status in one.profile.status.values())


def test_the_simulated_stack_is_known_as_a_simulator(library: Library) -> None:
    profiles = {one.profile.id: one.profile for one in listed(library)}

    assert profiles[SIMULATED].is_simulator


def test_a_profile_is_shown_as_it_is_written(library: Library) -> None:
    assert shown("case/word-order-abcd", library) == ABCD.read_text(encoding="utf-8")


def test_a_profile_that_is_not_there_is_told_with_the_nearest(library: Library) -> None:
    with pytest.raises(ConfigurationError, match="Did you mean 'case/word-order-abcd'"):
        shown("case/word-order-abdc", library)


def test_every_problem_of_every_profile_is_told_at_once(tmp_path: Path) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text(ABCD.read_text(encoding="utf-8").replace("float32", "float23"), encoding="utf-8")
    broken = tmp_path / "broken.toml"
    broken.write_text("id = \n", encoding="utf-8")

    with pytest.raises(ConfigurationError) as caught:
        validated([ABCD, bad, broken])

    told = [(Path(one.file).name, one.line) for one in caught.value.found]
    assert told == [
        *(("bad.toml", line) for line in (22, 31, 40, 49)),
        ("broken.toml", 1),
    ]


def test_a_file_given_by_name_may_lie_anywhere() -> None:
    (one,) = validated([ABCD])

    assert one.profile.id == "case/word-order-abcd"


def test_a_device_file_of_a_profile_has_every_point_as_a_channel() -> None:
    text = device_file(
        SIMULATED, name="stack-1", endpoint="tcp://127.0.0.1:5020", first_channel=101
    )

    assert text.count("[[channels]]") == 10
    assert "number = 101\n" in text
    assert "number = 110\n" in text


def test_a_device_file_of_no_profile_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no such profile"):
        device_file("a/b", name="a", endpoint="tcp://a", first_channel=1)


def test_there_is_a_schema_for_editors() -> None:
    assert all(schema_text(name).startswith("{") for name in ("agent", "device", "profile"))


def test_the_words_of_a_profile_are_those_of_the_wire() -> None:
    assert [word.name for word in ClassWord] == [one.name for one in QualityClass]
    assert [word.name for word in PhaseWord] == [one.name for one in Phase]
    assert {word.name for word in ReasonWord} <= {one.name for one in Reason}
    for words in (ClassWord, PhaseWord, ReasonWord):
        assert all(word.value == word.name.lower() for word in words)
