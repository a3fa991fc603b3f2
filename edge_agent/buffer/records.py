"""What goes into the buffer and what it tells about itself; plain values, no I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, Self
from uuid import UUID

from edge_agent.buffer.giving_up import GivenUp
from edge_agent.wire.events import Event
from edge_agent.wire.header import HEADER_SIZE, Header
from edge_agent.wire.readings import Readings
from edge_agent.wire.signing import SIGNATURE_SIZE, SigningKey
from edge_agent.wire.vocabulary import Hash

# `length` and `flags` before the header (docs/wire-format.md section 3).
FRAME_HEAD_BYTES = 8
# What a frame has besides its body.
BARE_FRAME_BYTES = FRAME_HEAD_BYTES + HEADER_SIZE + SIGNATURE_SIZE


class Portion(Protocol):
    """What one commit makes durable: judged scans in order of arrival, events, and marks."""

    @property
    def readings(self) -> Sequence[Readings]:
        """Judged scans."""
        ...

    @property
    def events(self) -> Sequence[Event]:
        """Events, in order."""
        ...

    @property
    def marks(self) -> Sequence[bytes]:
        """Names of the deliveries among them."""
        ...

    @property
    def is_last(self) -> bool:
        """Whether this is the last portion before an orderly stop."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    """A portion without content: commits only what the buffer itself has to say."""

    readings: tuple[Readings, ...] = ()
    events: tuple[Event, ...] = ()
    is_last: bool = False
    marks: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NextKey:
    """A portion that ends a chain: its batch tells which key signs from the next batch on."""

    key: SigningKey
    readings: tuple[Readings, ...] = ()
    events: tuple[Event, ...] = ()
    is_last: bool = False
    marks: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """The present boot of the machine and start of the agent, as the boot event tells them."""

    boot_id: UUID
    software: str = "development"
    hardware: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """Where a batch stands. After a fork two batches may share it at the centre, never here."""

    chain_id: UUID
    batch_no: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One batch that is durable here; `size` is that of its frame, bytes.

    Of a headstone the readings were given up; `record_count` still says how many there were.
    """

    chain_id: UUID
    batch_no: int
    batch_hash: Hash
    prev_batch_hash: Hash
    record_count: int
    wall_ns: int
    size: int
    key_id: Hash
    is_headstone: bool = False

    @property
    def readings(self) -> int:
        """How many readings are still in it."""
        return 0 if self.is_headstone else self.record_count

    @property
    def key(self) -> Key:
        """Where it stands."""
        return Key(chain_id=self.chain_id, batch_no=self.batch_no)

    @classmethod
    def of(
        cls, header: Header, batch_hash: Hash, body_bytes: int, *, is_headstone: bool = False
    ) -> Self:
        """Return the record of a batch with a body of so many bytes."""
        return cls(
            chain_id=header.chain_id,
            batch_no=header.batch_no,
            batch_hash=batch_hash,
            prev_batch_hash=header.prev_batch_hash,
            record_count=header.record_count,
            wall_ns=header.wall_ns,
            size=BARE_FRAME_BYTES + body_bytes,
            key_id=header.key_id,
            is_headstone=is_headstone,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The newest batch of the buffer; `position` counts batches over all chains, from 1."""

    position: int
    header: Header
    batch_hash: Hash


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What waits for a receipt; `size_bytes` is the sum of the frames."""

    unreceipted_count: int
    readings: int
    size_bytes: int
    oldest: Held | None
    newest: Held | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """How much of the quota is taken; `free_bytes` before anything is evicted."""

    quota_bytes: int
    used_bytes: int
    free_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """What this process has done since it opened the buffer."""

    batches: int = 0
    readings: int = 0
    commits: int = 0
    receipts: int = 0
    evicted: int = 0
    reopened: int = 0
    quarantined: int = 0
    given_up: int = 0
    given_up_readings: int = 0

    def after_commit(
        self, stored: Sequence[Held], given: Sequence[GivenUp], *, evicted: int
    ) -> Self:
        """Return the counts after a commit of these batches."""
        return replace(
            self,
            batches=self.batches + len(stored),
            readings=self.readings + sum(held.record_count for held in stored),
            commits=self.commits + 1,
            evicted=self.evicted + evicted,
            given_up=self.given_up + len(given),
            given_up_readings=self.given_up_readings + sum(one.readings for one in given),
        )
