"""Which shipped profiles of real analyzers count: a measured value and a status, both by vectors.

A profile without status words says nothing of an analyzer's health; it is shipped all the same,
but it must not pass for one that does. The page of profiles tells the same as this list.
"""

import re
from importlib.resources import files
from pathlib import Path
from typing import Final

import pytest

from edge_agent.config.library import SHIPPED, Library, LoadedProfile, listed
from edge_agent.config.profile_parts import Expectation
from edge_agent.config.vocabulary import ClassWord, PhaseWord, Role, SourceKind

PAGE: Final = (Path(__file__).parents[3] / "docs" / "profiles.md").read_text(encoding="utf-8")
REAL: Final = [
    loaded
    for loaded in listed(Library(folders=(files(SHIPPED),)))
    if all(source.kind is not SourceKind.SIMULATOR for source in loaded.profile.provenance)
]
# At least twelve are wanted.
COUNTING: Final = [
    "acoem/serinus-10",
    "acoem/serinus-30",
    "acoem/serinus-40",
    "acoem/serinus-44",
    "acoem/serinus-50",
    "ametek/3050-slr",
    "saimosen/sms8200",
    "saimosen/sms8300",
    "saimosen/sms8400",
    "saimosen/sms8500",
    "saimosen/sms8700",
    "sick/gm32",
    "sick/marsic300",
    "sick/scu-p100",
    "siemens/siprocess-ga700",
    "teledyne-api/t400",
    "vaisala/gmp252",
]
# id, analyzer, whether there are status words, what the site confirms.
ROW: Final = re.compile(
    r"^\| `(?P<id>[a-z0-9-]+/[a-z0-9-]+)` \| [^|]+ \| (?P<status>yes|no)[^|]* \| [^|]+ \|$",
    re.MULTILINE,
)


def is_good(expectation: Expectation) -> bool:
    """Return whether nothing is to be said of a value."""
    return (expectation.class_, expectation.phase) == (ClassWord.GOOD, PhaseWord.MEASURING)


def counts(loaded: LoadedProfile) -> bool:
    """Return whether vectors give a good measurement, and one of which a status word speaks."""
    profile = loaded.profile
    expected = [
        one
        for vector in profile.test_vectors
        for name, one in vector.expect.items()
        if (point := profile.point(name)) is not None
        and point.role is Role.MEASUREMENT
        and profile.status_of(name) is not None
        and one.value is not None
    ]
    return any(is_good(one) for one in expected) and not all(is_good(one) for one in expected)


def test_these_profiles_decode_a_value_and_a_status_of_a_real_analyzer() -> None:
    assert [loaded.profile.id for loaded in REAL if counts(loaded)] == COUNTING


@pytest.mark.parametrize("loaded", REAL, ids=lambda one: one.profile.id)
def test_a_profile_that_does_not_count_has_no_status_word(loaded: LoadedProfile) -> None:
    profile = loaded.profile
    has_status = any(profile.status_of(name) is not None for name in profile.point_names())

    assert counts(loaded) == has_status


def test_the_page_has_a_row_for_every_real_analyzer_and_says_which_ones_have_a_status() -> None:
    rows = {row["id"]: row["status"] == "yes" for row in ROW.finditer(PAGE)}

    assert rows == {loaded.profile.id: counts(loaded) for loaded in REAL}
    assert list(rows) == sorted(rows)
