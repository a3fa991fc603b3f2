"""Test vectors of OPC UA profiles, run through what the driver itself takes values apart with."""

import numpy as np

from edge_agent.config.device import Device
from edge_agent.config.profile import Profile, TestVector
from edge_agent.config.protocols.opcua_profile import OpcuaProfile, OpcuaVector
from edge_agent.drivers.opcua_values import BAD_NODE_ID_UNKNOWN, BUILT_IN, Word, word_of
from edge_agent.wire.vocabulary import Int64Array, UInt32Array


def decoded(
    device: Device, profile: Profile, vector: TestVector
) -> tuple[Int64Array, UInt32Array, UInt32Array]:
    """Return raw, status and transport of a device of which a server says what a vector says.

    Raises:
        TypeError: profile or vector are not of OPC UA.

    """
    if not isinstance(profile, OpcuaProfile) or not isinstance(vector, OpcuaVector):
        raise TypeError(f"{profile.id} is no profile of an OPC UA device")
    words = [_word(profile, vector, row.name) for row in device.channels]
    return (
        np.array([word.raw for word in words], np.int64),
        np.array([word.status for word in words], np.uint32),
        np.array([word.transport for word in words], np.uint32),
    )


def _word(profile: OpcuaProfile, vector: OpcuaVector, name: str) -> Word:
    raw_type = profile.points[name].raw_type
    said = vector.values.get(name)
    if said is None:
        return word_of(raw_type, None, None, BAD_NODE_ID_UNKNOWN)
    value = None if said.value is None else float(said.value)
    built_in = None if value is None else min(BUILT_IN[raw_type])
    return word_of(raw_type, built_in, value, said.status)
