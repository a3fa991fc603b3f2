"""The judgement of a soak, and a short one."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

import pytest

from tests.system.soak import RSS_LIMIT_MIB_PER_H, campaign, vitals
from tests.system.vitals import Sample, slope

if TYPE_CHECKING:
    from pathlib import Path

TWO_HOURS_OF_SAMPLES = 720
NOISE_MIB = 0.5


def samples(
    *, mib_per_h: float = 0.0, lost_descriptors_per_h: float = 0.0, settles_mib: float = 0.0
) -> list[Sample]:
    """Return two hours of a process that grows like this; its connections come and go."""
    chance = random.Random(7)  # noqa: S311 - chance, not a secret
    wander = 0.0
    found = []
    for index in range(TWO_HOURS_OF_SAMPLES):
        hours = index / 360
        # Memory wanders: what it is now it nearly was ten seconds ago.
        wander = 0.9 * wander + chance.gauss(0, NOISE_MIB)
        found.append(
            Sample(
                at_s=index * 10.0,
                rss_mib=65 + mib_per_h * hours + min(index / 100, 1.0) * settles_mib + wander,
                descriptors=20 + int(lost_descriptors_per_h * hours) + chance.randrange(3),
                threads=4,
            )
        )
    return found


def test_the_slope_of_a_line_is_exact_and_without_error() -> None:
    found = slope([0, 1800, 3600], [5.0, 6.0, 7.0])
    assert found.per_h == pytest.approx(2.0)
    assert found.error == pytest.approx(0.0, abs=1e-12)


def test_samples_that_are_alike_widen_the_error() -> None:
    at_s = [float(index) for index in range(400)]
    quick = slope(at_s, [index % 2 for index in range(400)])
    slow = slope(at_s, [index // 50 % 2 for index in range(400)])
    assert slow.error > 3 * quick.error


@pytest.mark.parametrize("settles_mib", [0.0, 20.0], ids=["from the start", "once warm"])
def test_a_process_that_only_wanders_is_flat(settles_mib: float) -> None:
    assert vitals(samples(settles_mib=settles_mib))["is_flat"]


@pytest.mark.parametrize("settles_mib", [0.0, 20.0])
def test_memory_that_grows_is_seen(settles_mib: float) -> None:
    grows = samples(mib_per_h=5 * RSS_LIMIT_MIB_PER_H, settles_mib=settles_mib)
    assert vitals(grows)["is_flat"] is False


def test_a_descriptor_lost_in_half_an_hour_is_seen() -> None:
    assert vitals(samples(lost_descriptors_per_h=2))["is_flat"] is False


def test_too_few_samples_are_not_judged() -> None:
    assert "is_flat" not in vitals(samples()[:11])


@pytest.mark.system
def test_a_short_soak_is_sampled_and_judged(tmp_path: Path) -> None:
    report = campaign(0.15, seed=1, folder=tmp_path / "soak", every_s=0.25)
    print(json.dumps(report))
    assert report["exit_code"] == 0
    assert report["checker_sees_damage"] is True
    for name in ("agent", "centre"):
        # In so short a time memory still settles: its slope says nothing.
        figures = report[name]
        assert isinstance(figures, dict)
        assert "is_flat" in figures
