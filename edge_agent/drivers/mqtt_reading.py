"""JSON messages of one topic as scans of one device. Pure.

What cannot be read is told as no value with its reason; a message is never passed over.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from edge_agent.clock import NS_PER_S, Instant
from edge_agent.config.device import Device, Point
from edge_agent.config.protocols.mqtt import MqttPlace, MqttSpeech
from edge_agent.drivers.json_values import (
    JsonValue,
    MalformedMessageError,
    document,
    found_at,
    raw_word,
    status_word,
    utc_ns,
)
from edge_agent.wire.readings import Scan
from edge_agent.wire.vocabulary import NO_VALUE, QualityClass, Reason

# What came cannot be read: the message is none, or the value in it is not of its type.
UNREADABLE: Final = NO_VALUE | QualityClass.FAILURE | Reason.COMMUNICATION
# The device says by null, or by leaving it out, that it has no value.
ABSENT: Final = NO_VALUE | QualityClass.FAILURE | Reason.DEVICE_FAULT
# A quality is declared and the message has none: nobody can say that the value is good.
UNSAID: Final = QualityClass.OUT_OF_SPECIFICATION | Reason.NO_FLAGS
# Sent before, and without a time of its own: it is older than its arrival.
OLD: Final = QualityClass.OUT_OF_SPECIFICATION | Reason.LATE


class TopicReader:
    """Reads the messages of one topic as scans of one device."""

    def __init__(self, device: Device, topic: str, points: Sequence[Point]) -> None:
        self.topic = topic
        self._device = device.name
        self._time = speech_of(device).time
        self._points = [(_place(point), point) for point in points]
        self._channel = np.array([point.channel for point in points], np.uint32)
        self._channel.flags.writeable = False

    def scan(self, payload: bytes, arrival: Instant, *, is_repeat: bool) -> Scan:
        """Return what a message says; what cannot be read is told as no value.

        Args:
            payload: of the message.
            arrival: when it came.
            is_repeat: whether it was sent before, so that it is older than its arrival.

        """
        try:
            root = document(payload)
        except MalformedMessageError:
            rows = [(0, 0, int(UNREADABLE))] * len(self._points)
            at_ns, doubts = arrival.utc_ns, 0
        else:
            rows = [_row(root, place, point) for place, point in self._points]
            at_ns, doubts = self._at(root, arrival.utc_ns, is_repeat=is_repeat)
        raw, status, transport = zip(*rows, strict=True)
        return Scan(
            device=self._device,
            at_ns=at_ns,
            mono_ns=arrival.mono_ns,
            channel=self._channel,
            raw=np.array(raw, np.int64),
            status=np.array(status, np.uint32),
            transport=np.array([_doubted(word, doubts) for word in transport], np.uint32),
        )

    def _at(self, root: JsonValue, arrival_ns: int, *, is_repeat: bool) -> tuple[int, int]:
        """Return the time of the values, and what is to be said against it."""
        doubts = int(OLD) if is_repeat else 0
        if self._time is None:
            return arrival_ns, doubts
        at_ns = utc_ns(found_at(root, self._time.path), self._time.format)
        if at_ns is not None:
            ahead_ns = at_ns - arrival_ns
            if -self._time.behind_s * NS_PER_S <= ahead_ns <= self._time.ahead_s * NS_PER_S:
                return at_ns, 0
        return arrival_ns, doubts | Reason.DEVICE_TIME_NOT_BELIEVED


def by_topic(device: Device) -> list[tuple[str, list[Point]]]:
    """Return the topics of a device with their points, in order of their first channel."""
    topics: dict[str, list[Point]] = {}
    for point in device.points:
        topics.setdefault(_place(point).topic, []).append(point)
    return list(topics.items())


def _row(root: JsonValue, place: MqttPlace, point: Point) -> tuple[int, int, int]:
    """Return raw word, status word and transport bits of one point."""
    status, said = 0, 0
    if isinstance(point.status, MqttPlace):
        word = status_word(found_at(root, point.status.path), dict(point.status.words))
        status, said = (0, int(UNSAID)) if word is None else (word, 0)
    value = found_at(root, place.path)
    if value is None:
        return 0, status, _doubted(said, int(ABSENT))
    raw = raw_word(value, point.raw_type)
    if raw is None:
        return 0, status, _doubted(said, int(UNREADABLE))
    return raw, status, said


def _doubted(word: int, doubts: int) -> int:
    """Return two words of doubts as one: the worse class, all else of both."""
    return max(word & 7, doubts & 7) | (word | doubts) & ~7


def _place(point: Point) -> MqttPlace:
    if not isinstance(point.place, MqttPlace):
        raise TypeError(f"channel {point.channel} is not in a message")
    return point.place


def speech_of(device: Device) -> MqttSpeech:
    """Return how the messages of an MQTT device are got; TypeError if it is none."""
    if not isinstance(device.speech, MqttSpeech):
        raise TypeError(f"{device.name} does not speak MQTT")
    return device.speech
