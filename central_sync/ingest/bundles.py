"""Configuration bundles and profile files: kept for ever by their hash, when a batch needs them.

Nobody can fill the disk: only a hash that a signed batch names is taken, and a profile only when a
kept bundle names it.
"""

from dataclasses import dataclass, field
from enum import Enum, auto
from hashlib import sha256
from threading import Lock
from typing import Final

from central_sync.model import AlarmCode
from central_sync.store.port import Store
from edge_agent.wire.bundle import Bundle, parse_bundle
from edge_agent.wire.vocabulary import Hash

NOT_ALLOWED: Final = "allow_simulated is false: its batches stay undecoded"


class Kept(Enum):
    """What became of a file."""

    STORED = auto()
    UNWANTED = auto()
    WRONG_HASH = auto()
    SIMULATED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundles:
    """Takes bundles and profiles; blocks."""

    store: Store
    allow_simulated: bool
    # One at a time: what 64 MiB of JSON become in memory is up to thirty times as much.
    parsing: Lock = field(default_factory=Lock)

    def put_bundle(self, config_hash: Hash, body: bytes) -> Kept:
        """Keep a bundle.

        Raises:
            RefusedError: EVENT: it is no canonical JSON of a bundle's form.

        """
        if sha256(body).digest() != config_hash:
            return Kept.WRONG_HASH
        if not self.store.is_bundle_wanted(config_hash):
            return Kept.UNWANTED
        with self.parsing:
            bundle = parse_bundle(body)
        if bundle.simulated and not self.allow_simulated:
            detail = f"bundle {config_hash.hex()[:16]} is of a simulated plant, and {NOT_ALLOWED}"
            self.store.refuse_bundle(config_hash, code=AlarmCode.SIMULATED, detail=detail)
            return Kept.SIMULATED
        self.store.put_bundle(config_hash, body, profile_hashes=_profiles(bundle))
        return Kept.STORED

    def put_profile(self, profile_hash: Hash, body: bytes) -> Kept:
        """Keep a profile file."""
        if sha256(body).digest() != profile_hash:
            return Kept.WRONG_HASH
        if not self.store.is_profile_wanted(profile_hash):
            return Kept.UNWANTED
        self.store.put_profile(profile_hash, body)
        return Kept.STORED


def _profiles(bundle: Bundle) -> tuple[Hash, ...]:
    hashes = {*bundle.profiles.values(), *(row.profile_hash for row in bundle.channels)}
    return tuple(Hash(bytes.fromhex(text)) for text in sorted(hashes))
