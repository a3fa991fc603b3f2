"""When a new configuration may stay: decided by what its channels were, and what they become."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from edge_agent.config.device import Device
from edge_agent.probation import NS_PER_S, Probation, Seen, good_channels
from edge_agent.wire.readings import Readings
from edge_agent.wire.vocabulary import NO_VALUE, Phase, QualityClass, Reason
from tests.edge_agent.rows import device_with

S = NS_PER_S
GOOD = int(QualityClass.GOOD) | int(Reason.JUDGED)
WORN = int(QualityClass.MAINTENANCE_REQUEST)
DOUBTED = int(QualityClass.OUT_OF_SPECIFICATION) | int(Reason.ABOVE_RANGE)
CHECKED = int(QualityClass.FUNCTION_CHECK) | int(Phase.ZERO_CHECK) << 4
FAILED = int(QualityClass.FAILURE)
NOTHING = NO_VALUE | FAILED


def readings(*qualities: int) -> Readings:
    """Return one reading of each of the channels 1, 2, ..."""
    count = len(qualities)
    return Readings(
        at_ns=1,
        mono_ns=1,
        channel=np.arange(1, count + 1, dtype=np.uint32),
        raw=np.zeros(count, np.int64),
        status=np.zeros(count, np.uint32),
        quality=np.array(qualities, np.uint32),
    )


def seen(*qualities: int) -> dict[str, Seen]:
    return {"a": Seen(readings=readings(*qualities), is_silent=False)}


SILENT = {"a": Seen(readings=None, is_silent=True)}
UNKNOWN = {"a": Seen(readings=None, is_silent=False)}


def probation(good: Sequence[int] = (1, 2), *, device: Device | None = None) -> Probation:
    devices = [device or device_with("a", [1, 2, 3])]
    begun = Probation.of(devices, good, length_s=60.0, now_ns=0)
    assert begun is not None
    return begun


@pytest.mark.parametrize(
    ("quality", "good"),
    [(GOOD, [1]), (WORN, [1]), (DOUBTED, []), (CHECKED, []), (NOTHING, [])],
)
def test_good_is_a_value_that_nothing_is_wrong_with_but_wear(quality: int, good: list[int]) -> None:
    assert good_channels(readings(quality)).tolist() == good


@pytest.mark.parametrize("quality", [DOUBTED, FAILED, NOTHING])
def test_a_good_channel_that_stays_bad_is_lost(quality: int) -> None:
    watched = probation().after(seen(quality, GOOD, GOOD), 1 * S)
    assert watched.lost(2 * S) == ()
    assert watched.after(seen(quality, GOOD, GOOD), 6 * S).lost(6 * S) == (1,)


def test_a_device_that_does_not_answer_loses_every_good_channel() -> None:
    assert probation().after(SILENT, 1 * S).lost(6 * S) == (1, 2)


@pytest.mark.parametrize("quality", [GOOD, WORN, CHECKED])
def test_a_channel_that_recovers_or_is_checked_in_time_is_not_lost(quality: int) -> None:
    watched = probation().after(seen(FAILED, GOOD), 1 * S).after(seen(quality, GOOD), 5 * S)
    assert watched.after(seen(FAILED, GOOD), 6 * S).lost(7 * S) == ()


def test_a_channel_that_was_bad_before_is_not_watched() -> None:
    watched = probation().after(seen(GOOD, GOOD, FAILED), 1 * S)
    assert watched.lost(60 * S) == ()
    assert watched.has_passed(60 * S)


def test_a_channel_that_was_removed_is_not_missed() -> None:
    kept = probation(good=[1, 2, 9]).after(seen(GOOD, GOOD, GOOD), 1 * S)
    assert kept.has_passed(60 * S)


def test_it_passes_after_its_length_and_not_while_a_channel_is_bad() -> None:
    watched = probation()
    assert not watched.has_passed(60 * S - 1)
    assert watched.has_passed(60 * S)
    assert not watched.after(seen(FAILED, GOOD), 59 * S).has_passed(60 * S)


def test_a_slow_device_gets_time_for_its_polls() -> None:
    slow = probation(device=replace(device_with("a", [1]), period_s=30.0))
    assert not slow.has_passed(119 * S)
    doubted = slow.after(SILENT, 0)
    assert doubted.lost(74 * S) == ()
    assert doubted.lost(75 * S) == (1,)


def test_what_has_not_spoken_since_is_not_bad_for_that() -> None:
    assert probation().after(UNKNOWN, 1 * S).has_passed(60 * S)


@pytest.mark.parametrize(("good", "length_s"), [([], 60.0), ([9], 60.0), ([1], 0.0)])
def test_there_is_none_without_a_good_channel_or_without_a_length(
    good: list[int], length_s: float
) -> None:
    assert Probation.of([device_with("a", [1])], good, length_s=length_s, now_ns=0) is None
