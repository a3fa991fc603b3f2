"""What the documents behind a profile leave open, and every way in which it may be; pure.

It knows no protocol: a key is open where the profile itself asks for it.
"""

from dataclasses import dataclass, replace
from itertools import product
from typing import Final

from edge_agent.config.device_model import DeviceSettings
from edge_agent.config.profile import Profile
from edge_agent.config.vocabulary import Addressing, WordOrder

ADDRESSINGS: Final = tuple(one for one in Addressing if one is not Addressing.UNKNOWN)
WORD_ORDERS: Final = tuple(one for one in WordOrder if one is not WordOrder.UNKNOWN)
# The keys of a device's file that answer what a profile leaves open.
OPEN_KEYS: Final = ("addressing", "word_order")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Candidate:
    """One way in which the registers of a device may have to be read; None: it is known."""

    addressing: Addressing | None = None
    word_order: WordOrder | None = None

    def __str__(self) -> str:
        return " ".join(str(word) for word in (self.addressing, self.word_order) if word)

    def applied(self, settings: DeviceSettings) -> DeviceSettings:
        """Return the settings with what this says."""
        return replace(
            settings,
            addressing=self.addressing or settings.addressing,
            word_order=self.word_order or settings.word_order,
        )


def open_keys(settings: DeviceSettings, profile: Profile) -> tuple[str, ...]:
    """Return the keys that the profile asks the file of the device for, and that it lacks."""
    asked = {misfit.path for misfit in profile.device_misfits(settings)}
    return tuple(key for key in OPEN_KEYS if (key,) in asked and getattr(settings, key) is None)


def unsaid_keys(settings: DeviceSettings, profile: Profile) -> tuple[str, ...]:
    """Return the keys that the documents leave open, also where the file of the device has them."""
    return open_keys(replace(settings, addressing=None, word_order=None), profile)


def candidates(settings: DeviceSettings, profile: Profile) -> tuple[Candidate, ...]:
    """Return every way that is open and possible; one that says nothing where nothing is open."""
    keys = open_keys(settings, profile)
    ways = [
        Candidate(addressing=addressing, word_order=word_order)
        for addressing, word_order in product(
            ADDRESSINGS if "addressing" in keys else (None,),
            WORD_ORDERS if "word_order" in keys else (None,),
        )
    ]
    return tuple(way for way in ways if not _is_impossible(way.applied(settings), profile))


def _is_impossible(settings: DeviceSettings, profile: Profile) -> bool:
    """Return whether the profile refuses what was filled in, such as addresses that are none."""
    keys = {(key,) for key in OPEN_KEYS}
    return any(misfit.path in keys for misfit in profile.device_misfits(settings))
