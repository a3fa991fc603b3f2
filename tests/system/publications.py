"""A broker and what is published to it, for the kill campaign of MQTT (`tests.system.messages`)."""

from __future__ import annotations

import json
import random
import shutil
import struct
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import TYPE_CHECKING, Self

from paho.mqtt.client import Client, MQTTMessageInfo
from paho.mqtt.enums import CallbackAPIVersion

from tests.system.installation import Installation, free_port, wait_until

if TYPE_CHECKING:
    from pathlib import Path

MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin")
PROFILE = "case/messages"
TOPIC = "plant/messages"
PAUSE_S = 0.03
ALIKE_RATE = 0.2
POINT = """
[points.{name}]
parameter = "{name}"
unit_of_measure = "1"
topic = "messages"
path = "/{name}"
raw_type = "{kind}"
resolution = "0.001"
page = "tests/system/messages.py"
"""
PROFILE_HEAD = f"""id = "{PROFILE}"
revision = "1"
vendor = "case"
model = "messages"
protocol = "mqtt"
trust = "simulated"

[[provenance]]
kind = "simulator"
document = "tests/system/messages.py"
pages = "all"
"""
DEVICE = """name = "publisher"
profile = "{profile}"
endpoint = "mqtt://127.0.0.1:{port}"
period_s = 1.0
timeout_s = 0.9
mqtt.root = "plant"

[broker]
client_id = "gateway"

[[channels]]
number = 1
point = "number"
name = "number"

[[channels]]
number = 2
point = "value"
name = "value"
"""


@dataclass
class MessageInstallation(Installation):
    """A broker, a gateway with one device behind it, and a centre."""

    broker_port: int = field(default_factory=free_port)

    def _start_plant(self) -> list[int]:
        """Start the broker, which keeps whatever the gateway does not take."""
        if MOSQUITTO is None:
            raise RuntimeError("mosquitto is missing: make system-packages")
        config = self.folder / "mosquitto.conf"
        config.write_text(
            f"listener {self.broker_port} 127.0.0.1\nallow_anonymous true\nuser root\n"
            "max_queued_messages 0\n"
            + "".join(f"log_type {kind}\n" for kind in ("error", "information", "subscribe"))
        )
        self.start("plant", MOSQUITTO, "-c", str(config))
        log = self.folder / "plant.log"
        wait_until("the broker", lambda: b"listen socket" in log.read_bytes(), limit_s=30.0)
        return [self.broker_port]

    def _extend_profile(self) -> dict[str, dict[str, object]]:
        path = self.gateway / "profiles.d" / f"{PROFILE}.toml"
        path.parent.mkdir(parents=True)
        points = (("number", "int64"), ("value", "float64"))
        text = "".join(POINT.format(name=name, kind=kind) for name, kind in points)
        path.write_text(PROFILE_HEAD + text)
        return {}

    def _write_devices(self, ports: list[int], _: dict[str, dict[str, object]]) -> None:
        text = DEVICE.format(profile=PROFILE, port=ports[0])
        (self.gateway / "devices.d" / "publisher.toml").write_text(text)


@dataclass
class Publisher:
    """Publishes without end in a thread, and notes what the broker has taken."""

    port: int
    seed: int
    journal: Path
    told: list[tuple[MQTTMessageInfo, int, int]] = field(default_factory=list)

    def __enter__(self) -> Self:
        """Begin."""
        self._client = Client(CallbackAPIVersion.VERSION2, client_id="publisher")
        self._client.max_inflight_messages_set(20)
        self._client.connect("127.0.0.1", self.port)
        self._client.loop_start()
        self._over = Event()
        self._thread = Thread(target=self._publish, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, and write down what was taken."""
        self._over.set()
        self._thread.join()
        with self.journal.open("w") as journal:
            for info, number, raw in self.told:
                info.wait_for_publish(30.0)
                journal.write(json.dumps({"number": number, "raw": raw}) + "\n")
        self._client.disconnect()
        self._client.loop_stop()

    def _publish(self) -> None:
        chance = random.Random(self.seed)  # noqa: S311 - chance, not a secret
        number = 0
        while not self._over.wait(PAUSE_S):
            number += 1
            value = round(chance.uniform(-500.0, 500.0), 3)
            payload = json.dumps({"number": number, "value": value})
            raw = struct.unpack(">q", struct.pack(">d", value))[0]
            for _ in range(2 if chance.random() < ALIKE_RATE else 1):
                self.told.append((self._client.publish(TOPIC, payload, qos=1), number, raw))
