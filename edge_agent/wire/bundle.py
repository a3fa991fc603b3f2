"""The configuration bundle: what each channel of a gateway means, under one hash.

Written and read as canonical JSON; a batch names its bundle by config_hash. Decimal numbers are
text, so that no binary fraction ever decides a value (docs/wire-format.md section 8).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from decimal import Decimal
from hashlib import sha256
from itertools import pairwise
from typing import Final, TypeGuard

from edge_agent.wire.canonical import JsonValue, canonical, parse_canonical
from edge_agent.wire.refusal import Code, RefusedError
from edge_agent.wire.vocabulary import Hash
from edge_agent.wire.words import word_orders

BUNDLE_VERSION: Final = 1
MAX_BUNDLE: Final = 64 * 1024 * 1024
"""Bytes (docs/wire-format.md section 8)."""

MAX_CHANNEL: Final = 2**32 - 1

# Long enough for any calibration constant, short enough that binary64 can estimate with it.
_DECIMAL: Final = re.compile(r"(?=.{1,40}\Z)-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
_HASH: Final = re.compile(r"[0-9a-f]{64}")
# A member of `profiles`; the group is the hash.
_PROFILE: Final = re.compile(rb'"[^"]*":"([0-9a-f]{64})"')


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelFacts:
    """What a channel has in common with others of the same point of the same profile.

    Attributes:
        parameter: what is measured.
        unit_of_measure: of the value, after scale and offset.
        raw_type: how the raw word is read, one of words.RAW_TYPES.
        word_order: ABCD, CDAB, BADC or DCBA; "" where there is nothing to order.
        scale: decimal number as text.
        offset: decimal number as text, in unit_of_measure.
        resolution: decimal number as text, in unit_of_measure, above 0: the step of a value.
        status_source: where the status word comes from; None = there is none.
        profile: id of the profile.
        profile_hash: SHA-256 of the profile file, 64 hex digits.

    """

    parameter: str
    unit_of_measure: str
    raw_type: str
    word_order: str
    scale: str
    offset: str
    resolution: str
    status_source: str | None
    profile: str
    profile_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelRow(ChannelFacts):
    """What one channel number means on one gateway, under one configuration.

    Attributes:
        channel: its number, 1 to 2^32 - 1, never reused for another parameter or device.
        name: what people call it.
        facility: the facility it measures for.
        device: the device it is read from.

    Raises:
        ValueError: a number, type, order or hash that cannot be.

    """

    channel: int
    name: str
    facility: str
    device: str

    def __post_init__(self) -> None:
        if not 1 <= self.channel <= MAX_CHANNEL:
            raise ValueError(f"channel is {self.channel}, must be 1 to {MAX_CHANNEL}")
        if self.word_order not in word_orders(self.raw_type):
            raise ValueError(
                f"channel {self.channel}: word_order is {self.word_order!r}, of {self.raw_type} "
                f"must be one of {word_orders(self.raw_type)}"
            )
        for name in ("scale", "offset", "resolution"):
            if _DECIMAL.fullmatch(getattr(self, name)) is None:
                raise ValueError(
                    f"channel {self.channel}: {name} is {getattr(self, name)!r}, must be a "
                    "decimal number without exponent, at most 40 characters"
                )
        if not Decimal(self.resolution) > 0:
            raise ValueError(f"channel {self.channel}: resolution must be above 0")
        _require_hash(self.profile_hash, f"channel {self.channel}: profile_hash")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """One configuration.

    Attributes:
        simulated: whether the plant behind it is simulated.
        channels: by rising number.
        judging: limits of each channel, by `channel_<number>`; not interpreted here.
        agent: effective settings without secrets; not interpreted here.
        profiles: SHA-256 of each profile file (64 hex digits), by a key made of its id.

    Raises:
        ValueError: channel numbers do not rise, or a hash is none.

    """

    simulated: bool
    channels: tuple[ChannelRow, ...]
    judging: Mapping[str, JsonValue]
    agent: Mapping[str, JsonValue]
    profiles: Mapping[str, str]

    def __post_init__(self) -> None:
        for one, other in pairwise(self.channels):
            if not one.channel < other.channel:
                raise ValueError(f"channel {other.channel} stands after {one.channel}: must rise")
        for name, digest in self.profiles.items():
            _require_hash(digest, f"profiles: {name}")

    def pack(self) -> bytes:
        """Return the canonical JSON of the bundle.

        Raises:
            RefusedError: EVENT: a key or value that canonical JSON may not hold.

        """
        return canonical(
            {
                "version": BUNDLE_VERSION,
                "simulated": self.simulated,
                "channels": [asdict(row) for row in self.channels],
                "judging": self.judging,
                "agent": self.agent,
                "profiles": self.profiles,
            }
        )


def bundle_bytes(
    *,
    simulated: bool,
    channels: Sequence[ChannelRow],
    judging: Mapping[str, JsonValue],
    agent: Mapping[str, JsonValue],
    profiles: Mapping[str, str],
) -> bytes:
    """Return the bytes of a bundle; arguments and errors as of Bundle and its pack."""
    bundle = Bundle(
        simulated=simulated,
        channels=tuple(channels),
        judging=judging,
        agent=agent,
        profiles=profiles,
    )
    return bundle.pack()


def parse_bundle(bundle: bytes) -> Bundle:
    """Return the bundle in these bytes.

    Raises:
        RefusedError: EVENT (the code for canonical JSON): not canonical, other keys than those of
            docs/wire-format.md section 8, or values that cannot be.

    """
    if len(bundle) > MAX_BUNDLE:
        raise RefusedError(Code.EVENT, f"a bundle of {len(bundle)} bytes, at most {MAX_BUNDLE}")
    match parse_canonical(bundle):
        case {
            "version": int(version),
            "simulated": bool(simulated),
            "channels": list(rows),
            "judging": dict(judging),
            "agent": dict(agent),
            "profiles": dict(profiles),
            **others,
        } if (
            version == BUNDLE_VERSION and version is not True and not others and _is_texts(profiles)
        ):
            pass
        case _:
            raise RefusedError(Code.EVENT, "a bundle of version 1 has other keys or types")
    try:
        return Bundle(
            simulated=simulated,
            channels=tuple(map(_row, rows)),
            judging=judging,
            agent=agent,
            profiles=profiles,
        )
    except ValueError as error:
        raise RefusedError(Code.EVENT, f"bundle: {error}") from error


def profile_hashes(pieces: Iterable[bytes]) -> tuple[Hash, ...]:
    """Return the hashes of the profile files that a bundle names, each once, rising.

    Keeps the end of it only: whole, a bundle of 25,000 channels takes 100 MB. `profiles` stands
    behind `judging` in canonical JSON, and its name cannot stand in a text: quotes are escaped.

    Args:
        pieces: the bytes of the bundle, in order.

    Raises:
        RefusedError: EVENT: not a bundle as bundle_bytes writes it, or with too many profiles.

    """
    tail = b""
    for piece in pieces:
        tail = (tail + piece)[-_MAX_PROFILES_BYTES:]
    _, name, rest = tail.rpartition(b',"profiles":{')
    members, end, _ = rest.partition(b"}")
    if not name or not end:
        raise RefusedError(Code.EVENT, "a bundle without profiles")
    digests = {digest.decode() for digest in _PROFILE.findall(members)}
    return tuple(Hash(bytes.fromhex(digest)) for digest in sorted(digests))


def config_hash(bundle: bytes) -> Hash:
    """Return the hash by which batches name a bundle."""
    return Hash(sha256(bundle).digest())


# 10,000 profiles of 100 bytes each.
_MAX_PROFILES_BYTES: Final = 1_048_576
_COLUMNS: Final = frozenset(column.name for column in fields(ChannelRow))


def _row(value: JsonValue) -> ChannelRow:
    if not isinstance(value, dict) or value.keys() != _COLUMNS:
        raise ValueError(f"a channel must have exactly the keys {sorted(_COLUMNS)}")
    match value.pop("channel"), value.pop("status_source"):
        case int(number), (str() | None) as source if number is not True and _is_texts(value):
            return ChannelRow(channel=number, status_source=source, **value)
        case _:
            raise ValueError("channel must be a number, status_source text or null, others text")


def _is_texts(members: Mapping[str, JsonValue]) -> TypeGuard[dict[str, str]]:
    return all(isinstance(value, str) for value in members.values())


def _require_hash(digest: str, where: str) -> None:
    if _HASH.fullmatch(digest) is None:
        raise ValueError(f"{where} is {digest!r}, must be 64 hex digits in lower case")
