"""What the file of a device says about the broker behind which it is heard, and where there."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from edge_agent.config.constraint import Matching, Within, fault, field_faults, refuse

# MQTT 3.1.1, section 3.1.3.1: what every broker takes; longer ones are common.
ClientId = Annotated[
    str, Matching(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", "1 to 64 letters, digits, '.', '_' or '-'")
]
# MQTT 3.1.1, section 4.7: '+' and '#' are wildcards, and a topic has no NUL.
Topic = Annotated[
    str,
    Matching(r"[^+#\x00/][^+#\x00]{0,253}[^+#\x00/]|[^+#\x00/]", "a topic without wildcards"),
]
# Sparkplug 3.0.0, section 4.1: an id is one level of a topic.
LevelId = Annotated[
    str, Matching(r"[^+#/\x00-\x1f]{1,64}", "1 to 64 characters without '+', '#' and '/'")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerSettings:
    """How the agent presents itself to a broker; devices of one broker say the same.

    Attributes:
        client_id: names the session at the broker; nobody else there may have the same.
        user: user name, where the broker asks for one.
        password_file: file with the password; only its owner may read it.
        ca_file: certificates that the broker's certificate must descend from; mqtts needs it.
    """

    client_id: ClientId
    user: str | None = None
    password_file: Path | None = None
    ca_file: Path | None = None

    def __post_init__(self) -> None:
        """Refuse a password without a user."""
        refuse(
            *field_faults(self),
            fault(
                "password_file",
                "a password, and no user that it is of",
                "write user, or remove password_file",
                when=self.password_file is not None and self.user is None,
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttSettings:
    """Where a device publishes, and how far the time in its messages is believed.

    Attributes:
        root: what stands before the topics of the profile, without '/' at its end.
        time_ahead_s: so far may a message be ahead of our clock.
        time_behind_s: so old may a message be; as long as the broker keeps messages.
    """

    root: Topic | None = None
    time_ahead_s: Annotated[float, Within(0.0, 3600.0)] = 2.0
    time_behind_s: Annotated[float, Within(0.0, 31_536_000.0)] = 86_400.0

    def __post_init__(self) -> None:
        """Refuse what a single field must not hold."""
        refuse(*field_faults(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class SparkplugSettings:
    """Which edge node of a broker a device is, and what the agent may ask of it.

    Attributes:
        group: group id.
        node: edge node id.
        device: device id; left out: the metrics are those of the edge node itself.
        may_request_rebirth: whether the agent may publish `Node Control/Rebirth`; it is a command.
        trusts_time: whether historical values are stored at the times of their metrics.
    """

    group: LevelId
    node: LevelId
    device: LevelId | None = None
    may_request_rebirth: bool = False
    trusts_time: bool = True

    def __post_init__(self) -> None:
        """Refuse what a single field must not hold."""
        refuse(*field_faults(self))
