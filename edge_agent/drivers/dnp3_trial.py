"""Test vectors of DNP3 profiles, run through what the driver itself takes responses apart with."""

from edge_agent.config.device import Device
from edge_agent.config.profile import Profile, TestVector
from edge_agent.config.protocols.dnp3_profile import Dnp3Profile, Dnp3Vector
from edge_agent.drivers.dnp3_objects import values_of
from edge_agent.drivers.dnp3_points import Points
from edge_agent.wire.vocabulary import Int64Array, UInt32Array


def decoded(
    device: Device, profile: Profile, vector: TestVector
) -> tuple[Int64Array, UInt32Array, UInt32Array]:
    """Return raw, status and transport of a device that sends the objects of a test vector.

    Raises:
        TypeError: profile or vector are not of DNP3.

    """
    if not isinstance(profile, Dnp3Profile) or not isinstance(vector, Dnp3Vector):
        raise TypeError(f"{profile.id} is no profile of a DNP3 outstation")
    values, _ = values_of(bytes.fromhex(vector.objects))
    return Points(device).present(values, vector.indications)
