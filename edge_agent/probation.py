"""Whether a new configuration may stay: every channel that was good before must stay so.

Pure. A channel is bad when its device does not answer, when there is no value, or when the verdict
is out of specification or failure; in a check or in maintenance it is neither. Bad counts once it
lasts: a single miss or spike is no reason to go back.
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from edge_agent.config.columns import numbers_of
from edge_agent.config.device import Device
from edge_agent.wire.readings import Readings
from edge_agent.wire.vocabulary import (
    BoolArray,
    Int64Array,
    QualityClass,
    UInt32Array,
    has_value,
    quality_class,
)

NS_PER_S: Final = 1_000_000_000
# Bad must last for so many polls, and so long at least: a driver reconnects in that time.
POLLS_TO_DOUBT: Final = 2.5
LEAST_DOUBT_S: Final = 5.0
# A slow device is given so many polls, whatever the configured length.
POLLS_TO_TRUST: Final = 4
NEVER: Final = -1


def good_channels(readings: Readings) -> UInt32Array:
    """Return the channels with a value that nothing is wrong with but wear."""
    usable = quality_class(readings.quality) <= QualityClass.MAINTENANCE_REQUEST
    return readings.channel[usable & has_value(readings.quality)]


def bad_among(readings: Readings) -> BoolArray:
    """Return where a reading is none, or is doubted; same shape."""
    classes = quality_class(readings.quality)
    is_check = classes == QualityClass.FUNCTION_CHECK
    is_doubted = (classes >= QualityClass.OUT_OF_SPECIFICATION) & ~is_check
    bad: BoolArray = is_doubted | ~(has_value(readings.quality) | is_check)
    return bad


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What is known of one device at one moment.

    Attributes:
        readings: its last ones under the new configuration; None: there are none yet.
        is_silent: whether it does not answer.

    """

    readings: Readings | None
    is_silent: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Watched:
    """One device on probation: its channels that were good, and since when each is bad.

    Attributes:
        channel: by rising number; shape (n,).
        bad_since_ns: CLOCK_BOOTTIME, NEVER where it is not bad; shape (n,).
        doubt_ns: so long may a channel be bad.

    """

    channel: UInt32Array
    bad_since_ns: Int64Array
    doubt_ns: int

    def after(self, seen: Seen, now_ns: int) -> "Watched":
        """Return it as it is after a look at the device."""
        if not seen.is_silent and seen.readings is None:
            return self
        bad = np.full(len(self.channel), seen.is_silent)
        if not seen.is_silent and seen.readings is not None:
            worse = seen.readings.channel[bad_among(seen.readings)]
            # Seldom is anything bad: of 800 devices, looked at once a second, it would add up.
            bad = np.isin(self.channel, worse) if len(worse) else bad
        since = np.where(self.bad_since_ns == NEVER, now_ns, self.bad_since_ns)
        return replace(self, bad_since_ns=np.where(bad, since, NEVER))

    def lost(self, now_ns: int) -> list[int]:
        """Return the channels that have been bad for too long."""
        is_lost = (self.bad_since_ns != NEVER) & (now_ns - self.bad_since_ns >= self.doubt_ns)
        return [int(number) for number in self.channel[is_lost]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Probation:
    """A new configuration that has to prove itself.

    Attributes:
        devices: what is watched, by name; never empty.
        ends_ns: CLOCK_BOOTTIME at which it has passed, unless a channel is bad then.

    """

    devices: Mapping[str, Watched]
    ends_ns: int

    @classmethod
    def of(
        cls, devices: Sequence[Device], good: Container[int], *, length_s: float, now_ns: int
    ) -> "Probation | None":
        """Return the probation of these devices; None where nothing of them was good before.

        Args:
            devices: the new ones.
            good: numbers of the channels that were good.
            length_s: the least length.
            now_ns: the present, CLOCK_BOOTTIME.

        """
        watched: dict[str, Watched] = {}
        longest_s = length_s
        for device in devices:
            channel = [number for number in numbers_of(device.channels) if number in good]
            if not channel:
                continue
            longest_s = max(longest_s, POLLS_TO_TRUST * device.period_s)
            watched[device.name] = Watched(
                channel=np.array(channel, np.uint32),
                bad_since_ns=np.full(len(channel), NEVER, np.int64),
                doubt_ns=round(max(LEAST_DOUBT_S, POLLS_TO_DOUBT * device.period_s) * NS_PER_S),
            )
        if not watched or not length_s:
            return None
        return cls(devices=watched, ends_ns=now_ns + round(longest_s * NS_PER_S))

    def after(self, seen: Mapping[str, Seen], now_ns: int) -> "Probation":
        """Return it as it is after a look at every device."""
        devices = {name: one.after(seen[name], now_ns) for name, one in self.devices.items()}
        return replace(self, devices=devices)

    def lost(self, now_ns: int) -> tuple[int, ...]:
        """Return the channels for which the old configuration must come back, by number."""
        return tuple(sorted(n for one in self.devices.values() for n in one.lost(now_ns)))

    def has_passed(self, now_ns: int) -> bool:
        """Return whether the new configuration may stay for good."""
        is_bad = any((one.bad_since_ns != NEVER).any() for one in self.devices.values())
        return now_ns >= self.ends_ns and not is_bad
