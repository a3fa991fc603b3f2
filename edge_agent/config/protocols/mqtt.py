"""MQTT, as the agent runs it: which message holds a value, where in it, and how to log in."""

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Self

from edge_agent.config.place import Place, Speech


class TimeFormat(StrEnum):
    """How a message tells the time of its values; always UTC."""

    UNIX_S = "unix_s"
    UNIX_MS = "unix_ms"
    UNIX_US = "unix_us"
    UNIX_NS = "unix_ns"
    RFC_3339 = "rfc_3339"


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttPlace(Place):
    """A value in the JSON messages of one topic.

    Attributes:
        topic: the whole topic, without wildcards.
        path: JSON Pointer (RFC 6901) into the message; empty: the message itself.
        words: of a status only: text -> the number that stands for it in the status word.
    """

    topic: str
    path: str
    words: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """How the agent presents itself to a broker; all devices of one broker agree on it.

    Attributes:
        client_id: names the session, in which the broker keeps what was not acknowledged: no other
            client of the broker may have it.
        user: user name, if the broker asks for one.
        password_file: holds the password; only its owner may read it.
        ca_file: certificates that the broker's certificate must descend from; for mqtts.
        is_visitor: whether this is only a look: the broker is to forget the session at its end.
    """

    client_id: str
    user: str | None = None
    password_file: Path | None = None
    ca_file: Path | None = None
    is_visitor: bool = False

    def visiting(self) -> Self:
        """Return a login for a session beside that of the agent, which it leaves as it is."""
        return replace(self, client_id=f"{self.client_id}-visitor", is_visitor=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceTime:
    """Where a message tells the time of its values, and how far that is believed.

    Attributes:
        path: JSON Pointer into the same message.
        format: how it is written.
        ahead_s: so far may it be ahead of our clock.
        behind_s: so old may a message be: as long as the broker keeps messages.
    """

    path: str
    format: TimeFormat
    ahead_s: float = 2.0
    behind_s: float = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttSpeech(Speech):
    """How the messages of one device are got and dated.

    Attributes:
        login: how the agent presents itself.
        time: where the time of the values is; None: they bear the time of their arrival.
    """

    login: Login
    time: DeviceTime | None = None

    def visiting(self) -> Self:
        """Return how to hear the device in a session of its own."""
        return replace(self, login=self.login.visiting())
