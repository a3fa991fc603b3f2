"""The scenarios that agent and peer both go through: steady load, and three ways to lose power.

A kill stands for a power cut as far as the process is concerned; it does not lose the page cache,
so a real cut costs a gateway that does not force its data to disk more than is seen here.
"""

import json
import subprocess
from dataclasses import dataclass
from typing import Final

from tests.bench.subject import (
    FIRST_PORT,
    HERE,
    PYTHON,
    Delivered,
    Load,
    Plant,
    Subject,
    now_s,
    pause,
    python_environment,
)

WARM_UP_S: Final = 8.0
START_LIMIT_S: Final = 60.0
SETTLE_LIMIT_S: Final = 60.0
SETTLED_AFTER_S: Final = 6.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Steady:
    """What a gateway costs under a steady load with the uplink up."""

    values_per_s: float
    cpu_share: float
    values_per_cpu_s: float
    rss_mb: float
    disk_bytes_per_value: float
    polls_made_of_due: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Losses:
    """What became of the polls that the devices answered."""

    served_polls: int
    lost_polls: int
    duplicate_polls: int


def start(subject: Subject) -> float:
    """Start a gateway; return the seconds until its first value is at the far end."""
    began_s = now_s()
    subject.start()
    while not subject.delivered().value_count:
        if now_s() - began_s > START_LIMIT_S:
            raise TimeoutError(f"{subject.name}: no value within {START_LIMIT_S:g} s")
        pause(0.1)
    return now_s() - began_s


def steady(subject: Subject, plant: Plant, seconds: float) -> Steady:
    """Measure a running gateway over some seconds."""
    pause(WARM_UP_S)
    process = subject.process
    delivered, served = subject.delivered(), plant.served_polls()
    cpu, disk, began_s = process.cpu_times(), process.io_counters().write_bytes, now_s()
    pause(seconds)
    cpu_end, lasted_s = process.cpu_times(), now_s() - began_s
    # What was polled is what was processed; delivery comes in bursts of one upload interval.
    values = (plant.served_polls() - served) * subject.load.register_count
    used_s = cpu_end.user + cpu_end.system - cpu.user - cpu.system
    arrived = subject.delivered().value_count - delivered.value_count
    if arrived < values / 2:
        raise RuntimeError(f"{subject.name}: only {arrived} of {values} values were delivered")
    return Steady(
        values_per_s=values / lasted_s,
        cpu_share=used_s / lasted_s,
        values_per_cpu_s=values / used_s,
        rss_mb=process.memory_info().rss / 2**20,
        disk_bytes_per_value=(process.io_counters().write_bytes - disk) / values,
        polls_made_of_due=values / lasted_s / subject.load.values_per_s,
    )


def kill_online(subject: Subject, plant: Plant) -> Losses:
    """Kill the gateway while the uplink is up, and start it again."""
    start(subject)
    pause(20)
    subject.kill()
    subject.start()
    return _drained(subject, plant)


def kill_during_outage(subject: Subject, plant: Plant) -> Losses:
    """Cut the uplink, kill the gateway, start it again with the uplink back."""
    start(subject)
    pause(10)
    subject.set_uplink(is_up=False)
    pause(20)
    subject.kill()
    subject.set_uplink(is_up=True)
    subject.start()
    return _drained(subject, plant)


def two_kills_during_outage(subject: Subject, plant: Plant) -> Losses:
    """Cut the uplink, kill, start with the uplink still down, kill again after 20 s."""
    start(subject)
    pause(10)
    subject.set_uplink(is_up=False)
    pause(20)
    subject.kill()
    subject.start()
    pause(20)
    subject.kill()
    subject.set_uplink(is_up=True)
    subject.start()
    return _drained(subject, plant)


LOSS_SCENARIOS: Final = {
    "kill -9 while online": kill_online,
    "uplink down, kill -9, restart with the uplink back": kill_during_outage,
    "uplink down, kill -9, restart still down, second kill -9": two_kills_during_outage,
}


def _drained(subject: Subject, plant: Plant) -> Losses:
    """Let the gateway run on, silence the devices, wait until nothing more arrives, and count."""
    pause(15)
    plant.silence()
    pause(0.5)
    served = plant.served_polls()
    delivered = _settled(subject)
    return Losses(
        served_polls=served,
        lost_polls=served - delivered.distinct_poll_count,
        duplicate_polls=delivered.duplicate_poll_count,
    )


def _settled(subject: Subject) -> Delivered:
    """Return what was delivered once that has not changed for a while."""
    began_s = changed_s = now_s()
    delivered = subject.delivered()
    while now_s() - changed_s < SETTLED_AFTER_S and now_s() - began_s < SETTLE_LIMIT_S:
        pause(1)
        if (latest := subject.delivered()) != delivered:
            delivered, changed_s = latest, now_s()
    return delivered


def bare_values_per_cpu_s(load: Load, seconds: float) -> float:
    """Return the values per CPU-second of a bare pymodbus loop at this load; the plant is there."""
    arguments = (FIRST_PORT, load.device_count, load.register_count, seconds)
    done = subprocess.run(
        [PYTHON, str(HERE / "bare.py"), *map(str, arguments)],
        check=True,
        capture_output=True,
        text=True,
        env=python_environment(),
    )
    facts = json.loads(done.stdout)
    return float(facts["values"] / facts["cpu_s"])
