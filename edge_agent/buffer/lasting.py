"""How long the quota holds without a centre, by the bytes that this gateway's batches take."""

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge_agent.buffer import schema
from edge_agent.buffer.quota import ROW_BYTES
from edge_agent.buffer.reading import DAMAGE_ERRORS, opened_read_only
from edge_agent.config.device import Device
from edge_agent.config.model import BATCH_BYTES, MEGABYTE, READING_BYTES, BufferSettings
from edge_agent.wire.header import Header

DAY_S: Final = 86_400
# What issue and regulators ask for, and what a long outage at a remote stack takes.
WANTED_DAYS: Final = (1, 30)
# An hour of ten-second batches: old enough to be usual, new enough to be of this configuration.
MEASURED_BATCHES: Final = 360
# Fewer readings say nothing about the rest.
LEAST_READINGS: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Lasting:
    """For how long, and by what.

    Attributes:
        days: until the quota is full of what waits; None where nothing is read.
        bytes_per_reading: its share of its batch included.
        is_measured: on this buffer; otherwise reckoned, generously.

    """

    days: float | None
    bytes_per_reading: float
    is_measured: bool

    @property
    def too_short_for(self) -> tuple[int, ...]:
        """The wanted durations that the quota does not hold, days."""
        days = self.days
        return () if days is None else tuple(wanted for wanted in WANTED_DAYS if days < wanted)


def lasting(settings: BufferSettings, readings_per_s: float) -> Lasting:
    """Return how long the quota holds without a centre.

    Args:
        settings: of the buffer; its file need not be there.
        readings_per_s: what the configured devices give, each at its period.

    """
    measured = _bytes_per_reading(settings.path)
    if measured is not None:
        each = measured
    else:
        batch_readings = max(1.0, readings_per_s * settings.commit_interval_s)
        each = READING_BYTES + BATCH_BYTES / batch_readings
    room_bytes = settings.quota_mb * MEGABYTE - schema.LOG_BYTES
    daily_bytes = each * readings_per_s * DAY_S
    return Lasting(
        days=room_bytes / daily_bytes if daily_bytes else None,
        bytes_per_reading=each,
        is_measured=measured is not None,
    )


def readings_per_s(devices: Iterable[Device]) -> float:
    """Return what devices give at their periods, readings a second."""
    return sum(len(device.points) / device.period_s for device in devices)


def short_facts(found: Lasting) -> dict[str, object]:
    """Return what is told of a quota that is too small."""
    return {
        "days": None if found.days is None else round(found.days, 1),
        "wanted_days": list(found.too_short_for),
        "bytes_per_reading": round(found.bytes_per_reading, 1),
        "measured": found.is_measured,
    }


def _bytes_per_reading(path: Path) -> float | None:
    """Return what a reading takes in the newest batches; None where there are too few of them."""
    if not path.exists():
        return None
    try:
        with opened_read_only(path) as connection:
            taken = list(_newest(connection))
    except DAMAGE_ERRORS:
        return None
    readings = sum(count for count, _ in taken)
    return sum(size for _, size in taken) / readings if readings >= LEAST_READINGS else None


def _newest(connection: sqlite3.Connection) -> Iterator[tuple[int, float]]:
    """Yield readings and bytes in the file of the newest batches."""
    part = schema.PAGE_BYTES / (schema.PAGE_BYTES - schema.PAGE_POINTER_BYTES)
    for header, body_bytes in connection.execute(
        "SELECT header, length(body) FROM sealed ORDER BY position DESC LIMIT ?",
        (MEASURED_BATCHES,),
    ):
        count = Header.unpack(header).record_count
        # The last page of a row is half empty on average.
        yield count, (ROW_BYTES + body_bytes) * part + schema.PAGE_BYTES / 2
