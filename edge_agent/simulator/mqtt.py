"""The plant's analyzers that publish JSON, written from their profiles.

Every topic is said once a second, at QoS 1. While the scenario lets the device be silent, nothing
is said.
"""

import json
from datetime import UTC, datetime
from typing import TypeAlias, assert_never

from edge_agent.clock import NS_PER_S, Clock
from edge_agent.config.protocols.mqtt import TimeFormat
from edge_agent.config.protocols.mqtt_profile import MqttPoint, MqttProfile, MqttStatus
from edge_agent.simulator.instrument import WELL, Instrument, unscaled
from edge_agent.simulator.plant import Condition, Indication
from edge_agent.simulator.publishing import publishing
from edge_agent.simulator.status import status_word

PERIOD_NS = NS_PER_S
JsonValue: TypeAlias = dict[str, "JsonValue"] | str | float


async def publish(instrument: Instrument, *, host: str, port: int, clock: Clock) -> None:
    """Say once a second what an instrument shows, until cancelled.

    Args:
        instrument: of a profile of MQTT.
        host: of the broker.
        port: of the broker.
        clock: gives the pace.

    """
    root = root_of(instrument)
    async with publishing(host, port, f"simulator-{instrument.name}") as publisher:
        while True:
            now = clock.now()
            if not instrument.plant.is_silent(now.utc_ns):
                indication = instrument.plant.indicated(now.utc_ns)
                for topic, text in messages(instrument, indication, now.utc_ns).items():
                    publisher.say(f"{root}{topic}", text, qos=1)
            await clock.sleep_until(now.mono_ns + PERIOD_NS)


def root_of(instrument: Instrument) -> str:
    """Return what stands before the topics of the profile: `plant/NAME/`, or as a file says."""
    like = instrument.site.like
    if like is None:
        return f"plant/{instrument.name}/"
    root = None if like.mqtt is None else like.mqtt.root
    return "" if root is None else f"{root}/"


def messages(instrument: Instrument, indication: Indication, at_ns: int) -> dict[str, str]:
    """Return topic -> message that says what is shown, in steps of each point's resolution.

    Raises:
        TypeError: the instrument does not publish over MQTT.

    """
    profile = instrument.profile
    if not isinstance(profile, MqttProfile):
        raise TypeError(f"{profile.id} is no profile of a device that publishes over MQTT")
    values = instrument.values(indication, at_ns)
    said: dict[str, JsonValue] = {}
    speakers: dict[tuple[str, str], list[str]] = {}
    for name, point in profile.points.items():
        if profile.mqtt.time_path and profile.mqtt.time_format is not None:
            time = _time(profile.mqtt.time_format, at_ns)
            said[point.topic] = _placed(said.get(point.topic), profile.mqtt.time_path, time)
        number = _number(point, values[name])
        said[point.topic] = _placed(said.get(point.topic), point.path, number)
        if point.status is not None:
            speakers.setdefault((point.topic, point.status), []).append(name)
    for (topic, name), points in speakers.items():
        status = profile.status[name]
        condition = indication.condition if instrument.follows(points) else WELL
        said[topic] = _placed(said[topic], status.path, _word(status, condition))
    return {topic: json.dumps(message) for topic, message in said.items()}


def _placed(document: JsonValue | None, pointer: str, value: JsonValue) -> JsonValue:
    """Return a message with a value where a JSON Pointer leads to (RFC 6901, section 4)."""
    if not pointer:
        return value
    whole = document if isinstance(document, dict) else {}
    *parents, last = (
        token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]
    )
    within = whole
    for parent in parents:
        inner = within.setdefault(parent, {})
        if not isinstance(inner, dict):
            raise TypeError(f"{pointer}: a value is in the way")
        within = inner
    within[last] = value
    return whole


def _number(point: MqttPoint, value: float) -> bool | int | float:
    if point.raw_type == "bool":
        return bool(value)
    step = point.resolution / abs(point.scale)
    number = round(unscaled(point, value) / step) * step
    return round(number) if point.raw_type == "int64" else float(number)


def _word(status: MqttStatus, condition: Condition) -> str | int:
    """Return the text that stands for a status word, or the word itself."""
    word = status_word(status, condition)
    return next((text for text, number in status.words.items() if number == word), word)


def _time(written: TimeFormat, at_ns: int) -> str | float:
    match written:
        case TimeFormat.UNIX_S:
            return at_ns / NS_PER_S
        case TimeFormat.UNIX_MS:
            return at_ns // 1_000_000
        case TimeFormat.UNIX_US:
            return at_ns // 1_000
        case TimeFormat.UNIX_NS:
            return at_ns
        case TimeFormat.RFC_3339:
            return datetime.fromtimestamp(at_ns / NS_PER_S, UTC).isoformat()
        case _:
            assert_never(written)
