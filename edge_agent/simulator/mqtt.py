"""The plant's analyzer that publishes JSON: docs/profiles.md, table 4, written from the profile.

Its topics are said once a second, at QoS 1. While the scenario lets the device be silent, nothing
is said.
"""

import json
from decimal import Decimal

from edge_agent.clock import NS_PER_S, Clock
from edge_agent.config.profile import Profile
from edge_agent.config.protocols.mqtt_profile import MqttProfile
from edge_agent.simulator.plant import Indication, Plant
from edge_agent.simulator.publishing import publishing

PERIOD_NS = NS_PER_S
FAILURE = "failure"


async def publish(
    plant: Plant, profile: Profile, *, host: str, port: int, root: str, clock: Clock
) -> None:
    """Say once a second what the analyzers indicate, until cancelled.

    Args:
        plant: what they measure.
        profile: how they say it; of a device that publishes over MQTT.
        host: of the broker.
        port: of the broker.
        root: what stands before the topics; also names the client.
        clock: gives the pace.

    """
    if not isinstance(profile, MqttProfile):
        raise TypeError(f"{profile.id} is no profile of a device that publishes over MQTT")
    async with publishing(host, port, f"simulator-{root.replace('/', '-')}") as publisher:
        while True:
            now = clock.now()
            if not plant.is_silent(now.utc_ns):
                for topic, text in messages(
                    profile, plant.indicated(now.utc_ns), now.utc_ns
                ).items():
                    publisher.say(f"{root}/{topic}", text, qos=1)
            await clock.sleep_until(now.mono_ns + PERIOD_NS)


def messages(profile: MqttProfile, indication: Indication, at_ns: int) -> dict[str, str]:
    """Return topic -> message that says what is indicated, in steps of each point's resolution."""
    members: dict[str, dict[str, object]] = {}
    for point in profile.points.values():
        message = members.setdefault(point.topic, {"at": at_ns // 1_000_000})
        value = indication.values.get(point.parameter or "", 0.0)
        steps = round(Decimal(repr(value)) / point.resolution) * point.resolution
        is_switch = point.raw_type == "bool"
        message[point.path.removeprefix("/")] = bool(value) if is_switch else float(steps)
        if point.status is not None:
            state = FAILURE if indication.has_failed else indication.phase.value
            message[profile.status[point.status].path.removeprefix("/")] = state
    return {topic: json.dumps(message) for topic, message in members.items()}
