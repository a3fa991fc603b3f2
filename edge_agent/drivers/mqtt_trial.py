"""Test vectors of MQTT profiles, run through what the driver itself reads messages with."""

import numpy as np

from edge_agent.clock import Instant
from edge_agent.config.device import Device
from edge_agent.config.profile import Profile, TestVector
from edge_agent.config.protocols.mqtt_profile import MqttProfile, MqttVector
from edge_agent.drivers.mqtt_reading import ABSENT, TopicReader, by_topic
from edge_agent.wire.vocabulary import Int64Array, Reason, UInt32Array

NOW = Instant(utc_ns=0, mono_ns=0)


def decoded(
    device: Device, profile: Profile, vector: TestVector
) -> tuple[Int64Array, UInt32Array, UInt32Array]:
    """Return raw, status and transport of a device that publishes the messages of a test vector.

    Raises:
        TypeError: profile or vector are not of MQTT.

    """
    if not isinstance(profile, MqttProfile) or not isinstance(vector, MqttVector):
        raise TypeError(f"{profile.id} is no profile of a device that publishes over MQTT")
    row_of = {point.channel: index for index, point in enumerate(device.points)}
    raw = np.zeros(len(row_of), np.int64)
    status = np.zeros(len(row_of), np.uint32)
    transport = np.full(len(row_of), int(ABSENT), np.uint32)
    for topic, points in by_topic(device):
        if topic not in vector.messages:
            continue
        payload = vector.messages[topic].encode()
        scan = TopicReader(device, topic, points).scan(payload, NOW, is_repeat=False)
        rows = [row_of[channel] for channel in scan.channel.tolist()]
        raw[rows], status[rows], transport[rows] = scan.raw, scan.status, scan.transport
    # A test vector is of no time: whether one is believed is not for it to show.
    return raw, status, transport & ~np.uint32(Reason.DEVICE_TIME_NOT_BELIEVED)
