"""ThingsBoard IoT gateway 3.8.5 as a subject: the closest peer, in its best configuration.

One range tag a device, so one request a poll; SQLite storage; limits and statistics off; QoS 1 to
`sink.py`. It looks for updates at start-up: `run.py` puts it into an empty network namespace.
"""

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psutil

from tests.bench.subject import (
    FIRST_PORT,
    HERE,
    PYTHON,
    Delivered,
    Load,
    end,
    pause,
    python_environment,
)

MQTT_PORT: Final = 18830
HANDLERS: Final = ("service", "connector", "converter", "tb_connection", "storage", "extension")
START: Final = (
    "import sys; sys.argv = ['tb']; from thingsboard_gateway.tb_gateway import main; main()"
)


class ThingsBoardGateway:
    """The peer with its far end."""

    name = "thingsboard-gateway 3.8.5"

    def __init__(self, folder: Path, environment: Path, load: Load) -> None:
        self.load = load
        self._folder = folder
        self._python = environment / "bin" / "python"
        self._state = folder / "sink.json"
        self._gateway: subprocess.Popen[bytes] | None = None
        self._is_up = True
        for name in ("config", "logs", "data"):
            (folder / name).mkdir(parents=True)
        _write_configuration(folder, load)
        self._sink = subprocess.Popen(
            [PYTHON, str(HERE / "peer" / "sink.py"), str(MQTT_PORT), str(self._state)]
        )
        pause(0.5)

    @property
    def process(self) -> psutil.Process:
        """Return the gateway's process."""
        assert self._gateway is not None
        return psutil.Process(self._gateway.pid)

    def start(self) -> None:
        """Start the gateway."""
        environment = {
            **python_environment(),
            "TB_GW_CONFIG_DIR": str(self._folder / "config"),
            "PYTHONPATH": "",
        }
        with (self._folder / "out.log").open("ab") as log:
            self._gateway = subprocess.Popen(
                [str(self._python), "-c", START],
                cwd=self._folder,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def kill(self) -> None:
        """Kill the gateway with SIGKILL and wait for its end."""
        assert self._gateway is not None
        self._gateway.kill()
        self._gateway.wait()

    def set_uplink(self, *, is_up: bool) -> None:
        """Cut the uplink, or mend it."""
        if is_up != self._is_up:
            self._is_up = is_up
            self._sink.send_signal(signal.SIGUSR2)
            pause(0.2)

    def delivered(self) -> Delivered:
        """Return what the far end has acknowledged so far."""
        before = self._state.stat().st_mtime_ns if self._state.exists() else 0
        self._sink.send_signal(signal.SIGUSR1)
        for _ in range(500):
            if self._state.exists() and self._state.stat().st_mtime_ns != before:
                break
            pause(0.01)
        facts = json.loads(self._state.read_text())
        return Delivered(
            value_count=facts["values"],
            distinct_poll_count=facts["distinct"],
            duplicate_poll_count=facts["duplicates"],
        )

    def close(self) -> None:
        """End both processes."""
        end(self._gateway, 5.0)
        end(self._sink)


@contextlib.contextmanager
def peer(folder: Path, environment: Path, load: Load) -> Iterator[ThingsBoardGateway]:
    """Run the peer's far end for the length of a block; the gateway is started by the scenario."""
    subject = ThingsBoardGateway(folder, environment, load)
    try:
        yield subject
    finally:
        subject.close()


def _write_configuration(folder: Path, load: Load) -> None:
    files = {
        "tb_gateway.json": _gateway(folder),
        "modbus.json": {
            "name": "mb",
            "id": "b5d3b6b0-0000-4000-8000-000000000001",
            "logLevel": "INFO",
            "master": {"slaves": [_device(index, load) for index in range(load.device_count)]},
        },
        "connected_devices.json": {},
        "logs.json": _logs(folder),
    }
    for name, fields in files.items():
        (folder / "config" / name).write_text(json.dumps(fields, indent=1), encoding="utf-8")


def _gateway(folder: Path) -> dict[str, object]:
    no_limit = dict.fromkeys(
        (
            "rateLimits",
            "dpRateLimits",
            "messagesRateLimits",
            "deviceMessagesRateLimits",
            "deviceRateLimits",
            "deviceDpRateLimits",
        ),
        "0:0,",
    )
    return {
        "thingsboard": {
            "host": "127.0.0.1",
            "port": MQTT_PORT,
            "remoteShell": False,
            "remoteConfiguration": False,
            "statistics": {"enable": False},
            "deviceFiltering": {"enable": False},
            "maxPayloadSizeBytes": 8196,
            "minPackSendDelayMS": 50,
            "minPackSizeToSend": 500,
            "checkConnectorsConfigurationInSeconds": 60,
            "security": {"type": "accessToken", "accessToken": "bench"},
            "qos": 1,
            "reportStrategy": {"type": "ON_RECEIVED"},
            "checkingDeviceActivity": {"checkDeviceInactivity": False},
            **no_limit,
        },
        "storage": {
            "type": "sqlite",
            "data_file_path": f"{folder / 'data'}{os.sep}",
            "messages_ttl_check_in_hours": 1,
            "messages_ttl_in_days": 7,
            "max_read_records_count": 1000,
            "writing_batch_size": 1000,
            "size_limit": 1024,
            "max_db_amount": 10,
            "oversize_check_period": 1,
        },
        "grpc": {"enabled": False},
        "connectors": [{"name": "mb", "type": "modbus", "configuration": "modbus.json"}],
    }


def _device(index: int, load: Load) -> dict[str, object]:
    tag = {
        "tag": "r${address}",
        "type": "16uint",
        "address": f"0-{load.register_count - 1}",
        "objectsCount": 1,
        "functionCode": 3,
        "maxRegistersPerRequest": 125,
    }
    return {
        "host": "127.0.0.1",
        "port": FIRST_PORT + index,
        "type": "tcp",
        "method": "socket",
        "unitId": 1,
        "deviceName": f"d{index}",
        "deviceType": "default",
        "timeout": 35,
        "byteOrder": "BIG",
        "wordOrder": "BIG",
        "retries": 3,
        "retryOnEmpty": True,
        "retryOnInvalid": True,
        "pollPeriod": load.period_ms,
        "connectAttemptTimeMs": 5000,
        "connectAttemptCount": 5,
        "waitAfterFailedAttemptsMs": 300000,
        "attributes": [],
        "timeseries": [tag],
        "attributeUpdates": [],
        "rpc": [],
    }


def _logs(folder: Path) -> dict[str, object]:
    rotating = "thingsboard_gateway.tb_utility.tb_rotating_file_handler.TimedRotatingFileHandler"
    handlers = {
        f"{name}Handler": {
            "class": rotating,
            "formatter": "F",
            "filename": str(folder / "logs" / f"{name}.log"),
            "backupCount": 1,
            "interval": 3,
            "when": "D",
            "encoding": "utf-8",
        }
        for name in HANDLERS
    }
    loggers = {
        name: {"handlers": [f"{name}Handler"], "level": "INFO", "propagate": False}
        for name in HANDLERS
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"F": {"class": "logging.Formatter", "format": "%(asctime)s %(message)s"}},
        "handlers": handlers,
        "loggers": loggers,
        "root": {"level": "ERROR", "handlers": []},
    }
