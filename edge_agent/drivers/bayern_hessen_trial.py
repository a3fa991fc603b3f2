"""Test vectors of Bayern-Hessen profiles, run through what the driver itself reads answers with."""

from edge_agent.config.device import Device
from edge_agent.config.profile import Profile, TestVector
from edge_agent.config.protocols.bayern_hessen_profile import (
    BayernHessenProfile,
    BayernHessenVector,
)
from edge_agent.drivers.bayern_hessen_frames import reported
from edge_agent.drivers.bayern_hessen_values import words_of
from edge_agent.wire.vocabulary import Int64Array, UInt32Array


def decoded(
    device: Device, profile: Profile, vector: TestVector
) -> tuple[Int64Array, UInt32Array, UInt32Array]:
    """Return raw, status and transport of an instrument that gives the answer of a vector.

    Raises:
        TypeError: profile or vector are not of Bayern-Hessen.
        ValueError: the vector is no answer.

    """
    if not isinstance(profile, BayernHessenProfile) or not isinstance(vector, BayernHessenVector):
        raise TypeError(f"{profile.id} is no profile of a Bayern-Hessen instrument")
    return words_of([point.place for point in device.points], reported(vector.answer))
