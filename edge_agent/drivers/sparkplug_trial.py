"""Test vectors of Sparkplug profiles: a birth, through the codec and the node of the driver."""

import numpy as np

from edge_agent.config.device import Device
from edge_agent.config.profile import Profile, TestVector
from edge_agent.config.protocols.sparkplug import Metric as Place
from edge_agent.config.protocols.sparkplug_profile import (
    DataWord,
    Said,
    SparkplugProfile,
    SparkplugVector,
)
from edge_agent.drivers.sparkplug_node import Kind, Node
from edge_agent.drivers.sparkplug_payload import (
    DataType,
    Metric,
    Payload,
    Slot,
    Value,
    double_bits,
    encoded,
    float_bits,
)
from edge_agent.drivers.sparkplug_payload import (
    decoded as payload_of,
)
from edge_agent.wire.vocabulary import Int64Array, UInt32Array

LONG = (DataWord.INT64, DataWord.UINT32, DataWord.UINT64)


def decoded(
    device: Device, profile: Profile, vector: TestVector
) -> tuple[Int64Array, UInt32Array, UInt32Array]:
    """Return raw, status and transport of an edge node that is born as a test vector says.

    Raises:
        TypeError: profile or vector are not of Sparkplug.

    """
    if not isinstance(profile, SparkplugProfile) or not isinstance(vector, SparkplugVector):
        raise TypeError(f"{profile.id} is no profile of a Sparkplug device")
    metrics = tuple(metric_of(name, said) for name, said in vector.metrics.items())
    node = Node()
    node.heard(Kind.NODE_BIRTH, "", payload_of(encoded(Payload(seq=0, metrics=metrics))))
    rows = [
        node.reading((point.place.device, point.place.name), point.raw_type)
        for point in device.points
        if isinstance(point.place, Place)
    ]
    raw, status, transport = zip(*rows, strict=True)
    return np.array(raw, np.int64), np.array(status, np.uint32), np.array(transport, np.uint32)


def metric_of(name: str, said: Said) -> Metric:
    """Return a metric that says so (Sparkplug 3.0.0, section 6.4.16)."""
    slot: Slot | None = None
    value: Value = 0
    if said.value is not None:
        match said.type:
            case DataWord.FLOAT:
                slot, value = Slot.FLOAT, float_bits(float(said.value))
            case DataWord.DOUBLE:
                slot, value = Slot.DOUBLE, double_bits(float(said.value))
            case DataWord.BOOLEAN:
                slot, value = Slot.BOOLEAN, int(said.value)
            case _:
                slot = Slot.LONG if said.type in LONG else Slot.INT
                value = int(said.value) % (1 << (64 if slot is Slot.LONG else 32))
    return Metric(
        name=name,
        datatype=_DATA_TYPES[said.type],
        is_null=said.value is None,
        slot=slot,
        value=value,
        properties={} if said.quality is None else {"Quality": said.quality},
    )


_DATA_TYPES = {word: DataType[word.name] for word in DataWord}
