"""Profiles are tried by the driver's own decoder: the shipped ones, and one per word order."""

from importlib.resources import files
from pathlib import Path
from typing import Final

import pytest

from edge_agent.config.library import SHIPPED, Library, LoadedProfile, listed, load_profile
from edge_agent.drivers import trial_decoder
from edge_agent.quality.trial import vector_faults

CASES: Final = Path(__file__).parents[2] / "cases" / "profiles"
SHIPPED_PROFILES: Final = listed(Library(folders=(files(SHIPPED),)))


def loaded(path: Path) -> LoadedProfile:
    """Return the profile of a case."""
    profile = load_profile(path, None)
    assert isinstance(profile, LoadedProfile), profile
    return profile


@pytest.mark.parametrize("profile", SHIPPED_PROFILES, ids=lambda one: one.profile.id)
def test_a_shipped_profile_has_vectors_and_keeps_them(profile: LoadedProfile) -> None:
    assert profile.profile.test_vectors
    assert vector_faults(profile, trial_decoder(profile.profile.protocol)) == ()


@pytest.mark.parametrize("profile", SHIPPED_PROFILES, ids=lambda one: one.profile.id)
def test_every_point_of_a_shipped_profile_is_in_a_vector(profile: LoadedProfile) -> None:
    expected = {_kind(point) for vector in profile.profile.test_vectors for point in vector.expect}
    assert expected == {_kind(point) for point in profile.profile.point_names()}


def _kind(point: str) -> str:
    """Return a point without the number of its component: all components are alike."""
    block, _, inner = point.partition(".")
    return f"{block}.{inner.partition('.')[2]}" if inner else block


@pytest.mark.parametrize("path", sorted(CASES.glob("*.toml")), ids=lambda path: path.stem)
def test_a_case_profile_keeps_its_vectors(path: Path) -> None:
    assert vector_faults(loaded(path), trial_decoder("modbus")) == ()


def test_a_wrong_word_order_is_told_value_by_value(tmp_path: Path) -> None:
    text = (CASES / "word-order-abcd.toml").read_text(encoding="utf-8")
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(text.replace('word_order = "ABCD"', 'word_order = "CDAB"'), encoding="utf-8")

    faults = vector_faults(loaded(wrong), trial_decoder("modbus"))

    # 42.5 is 422A 0000; read as 0000 422A it is next to nothing.
    assert "test vector 'four values': a is 0.00, expected 42.5" in faults


def test_a_wrong_class_is_told_in_words(tmp_path: Path) -> None:
    text = (files(SHIPPED) / "emissionwatch" / "simulated-stack.toml").read_text(encoding="utf-8")
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(
        text.replace('0 = { class = "failure", reasons', '0 = { class = "good", reasons'),
        encoding="utf-8",
    )

    faults = vector_faults(loaded(wrong), trial_decoder("modbus"))

    assert any(
        "so2_ppm is function_check, zero_check, device_fault, expected failure, zero_check" in fault
        for fault in faults
    )


def test_a_vector_that_no_instrument_would_say_is_told(tmp_path: Path) -> None:
    text = (files(SHIPPED) / "emissionwatch" / "simulated-bh.toml").read_text(encoding="utf-8")
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(text.replace('"MD05 001 +1183+02', '"MD05 001 +11.3+02'), encoding="utf-8")

    (fault,) = vector_faults(loaded(wrong), trial_decoder("bayern_hessen"))

    assert fault.startswith("test vector 'measuring': cannot be read: ")
