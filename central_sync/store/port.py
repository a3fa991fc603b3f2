"""The store as everybody else sees it: verbs that are transactions, no database words.

All methods are synchronous and block: coroutines call them through `asyncio.to_thread`.
A method either did all it says, durably, or nothing. Adapters run one conformance suite.
"""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias
from uuid import UUID

from central_sync.model import (
    Alarm,
    AlarmCode,
    Around,
    ChainHead,
    Counts,
    DirtyHour,
    Gateway,
    GatewayKey,
    GatewayState,
    Hole,
    HourlyRevision,
    HourlyValue,
    IssuedCertificate,
    KeyState,
    Part,
    StoredBatch,
    Token,
)
from central_sync.store.admission import Outcome, Sight, Submission
from central_sync.store.witness_port import Archive, Log
from edge_agent.wire.vocabulary import Hash

NowNs: TypeAlias = Callable[[], int]
"""The centre's clock: UTC nanoseconds."""


class StoreUnavailableError(Exception):
    """The store cannot be read or written now; nothing of what was asked for was done."""


class Registry(Protocol):
    """Gateways and their keys."""

    def add_gateway(self, gateway_id: UUID, *, facility: str, name: str, public_key: bytes) -> None:
        """Register a gateway with its 32-byte public key; ValueError when id or key is taken."""
        ...

    def gateways(self) -> tuple[Gateway, ...]:
        """Return all gateways, also revoked ones, by name."""
        ...

    def gateway(self, gateway_id: UUID) -> Gateway | None:
        """Return a gateway, also a revoked one."""
        ...

    def revoke_gateway(self, gateway_id: UUID, *, reason: str) -> None:
        """Accept nothing more under this gateway's keys; KeyError when it is unknown."""
        ...

    def key(self, gateway_id: UUID, key_id: bytes) -> GatewayKey | None:
        """Return a gateway's key, active or revoked; None when it never had that key."""
        ...

    def key_states(self, gateway_id: UUID) -> tuple[KeyState, ...]:
        """Return all keys that a gateway ever had, oldest first."""
        ...

    def revoke_key(self, gateway_id: UUID, key_id: bytes, *, reason: str) -> None:
        """Accept nothing more under one key; what is stored stays; KeyError when it is unknown.

        The first number of each chain that does not count any more is kept with it.
        """
        ...


class Enrolment(Protocol):
    """Tokens and certificates: how a gateway comes to be known."""

    def make_token(
        self, gateway_id: UUID, *, facility: str, name: str, token_hash: Hash, expires_ns: int
    ) -> None:
        """Keep a token; make its gateway if there is none; what tokens it had are void."""
        ...

    def token(self, token_hash: Hash) -> Token | None:
        """Return a token, used or not; None when it was never made, or is void."""
        ...

    def count_try(self, token_hash: Hash) -> None:
        """Count a request that a token could not be used for."""
        ...

    def enrol(
        self,
        token_hash: Hash,
        *,
        public_key: bytes,
        tls_hash: bytes,
        certificate: IssuedCertificate | None,
    ) -> bool:
        """Use a token for a 32-byte public key: register the key, keep the certificate.

        The gateway's other certificates count no more. Returns False, and does nothing, when
        another pair of keys has used the token meanwhile; ValueError when the key belongs to
        another gateway, or was revoked.
        """
        ...

    def keep_certificate(self, certificate: IssuedCertificate) -> None:
        """Keep what is known of a certificate that was made; expired ones are forgotten."""
        ...

    def certificate(self, serial: int) -> IssuedCertificate | None:
        """Return what is known of a certificate of our authority."""
        ...


class Record(Protocol):
    """Signed batches and what they need to be read."""

    def accept(self, group: Sequence[Submission]) -> list[Outcome]:
        """Admit submissions in one transaction; on return all that has a receipt is durable.

        A rejected frame is kept within a quota, one for each gateway and one for all strangers. A
        submission without a candidate proves nothing about its sender and is told nothing.
        """
        ...

    def sight(self, submission: Submission) -> tuple[Sight, ...]:
        """Return what is stored around each frame of a submission, for checks before `accept`."""
        ...

    def batch(self, gateway_id: UUID, chain_id: UUID, batch_no: int) -> StoredBatch | None:
        """Return the stored batch of that number on the main line."""
        ...

    def batches_touching(
        self, gateway_id: UUID, from_ns: int, to_ns: int
    ) -> tuple[StoredBatch, ...]:
        """Return readable batches of main lines that may have a row with from_ns <= at < to_ns.

        Ordered by chain id and number, so that the order of arrival does not show. Verdict 0, or
        2 where what arrived later showed that the batch is on the main line after all.
        """
        ...

    def branches_touching(
        self, gateway_id: UUID, from_ns: int, to_ns: int
    ) -> tuple[StoredBatch, ...]:
        """Return readable batches of branches that may have a row with from_ns <= at < to_ns.

        They feed no calculation. Ordered as above, batches of one number by their hash.
        """
        ...

    def around(self, stored: StoredBatch, *, until_ns: int | None = None) -> Around:
        """Return the batches of trusted clocks next to a stored one.

        `until_ns`: only what was received by then, UTC ns of the centre's clock.
        """
        ...

    def is_bundle_wanted(self, config_hash: Hash) -> bool:
        """Return whether a stored batch names this configuration, here already or not."""
        ...

    def put_bundle(self, config_hash: Hash, body: bytes, *, profile_hashes: Sequence[Hash]) -> None:
        """Keep a configuration bundle for ever and mark the hours that waited for it dirty.

        `profile_hashes`: the profile files it names; from now on they are taken.
        """
        ...

    def refuse_bundle(self, config_hash: Hash, *, code: AlarmCode, detail: str) -> None:
        """Note that a bundle was not taken: it is not wanted, its batches stay undecoded.

        Raises the alarm for every gateway that names it; the alarm closes when it is taken.
        """
        ...

    def forget_refusals(self) -> None:
        """Want refused bundles again: the rules for taking them have changed."""
        ...

    def bundle(self, config_hash: Hash) -> bytes | None:
        """Return a bundle's bytes."""
        ...

    def missing_bundles(self, gateway_id: UUID) -> tuple[Hash, ...]:
        """Return the configurations that stored batches of a gateway name and nobody sent."""
        ...

    def put_profile(self, profile_hash: Hash, body: bytes) -> None:
        """Keep a profile file for ever."""
        ...

    def is_profile_wanted(self, profile_hash: Hash) -> bool:
        """Return whether a stored bundle names this profile, here already or not."""
        ...

    def profile(self, profile_hash: Hash) -> bytes | None:
        """Return a profile file's bytes."""
        ...


class Ledger(Protocol):
    """What must be computed, and what was."""

    def dirty_hours(self, limit: int) -> tuple[DirtyHour, ...]:
        """Return hours to compute: of each gateway the oldest change first, gateways in turn."""
        ...

    def mark_dirty(self, gateway_id: UUID, from_ns: int, to_ns: int) -> None:
        """Mark every hour of [from_ns, to_ns) dirty: a recomputation was asked for."""
        ...

    def retime(self, limit: int) -> int:
        """Look again at batches of untrusted clocks around which more became known.

        Makes them findable by their new times and these hours dirty; returns how many there were,
        at most `limit`.
        """
        ...

    def settle_hour(
        self, hour: DirtyHour, part: Part | None, values: Sequence[HourlyValue]
    ) -> bool:
        """Write a part and new revisions and clear the hour, if its generation is still `hour`'s.

        A value equal to its current revision in kernel and all hashes writes no new revision.
        Returns False, and writes nothing, when the hour changed meanwhile: it stays dirty.
        """
        ...

    def part(self, gateway_id: UUID, hour_ns: int) -> Part | None:
        """Return the current part of one hour."""
        ...

    def hourly(
        self, *, facility: str | None, channel: int | None, from_ns: int, to_ns: int
    ) -> tuple[HourlyRevision, ...]:
        """Return current revisions with from_ns <= hour < to_ns by hour, gateway, channel."""
        ...

    def revisions(self, gateway_id: UUID, channel: int, hour_ns: int) -> tuple[HourlyRevision, ...]:
        """Return every revision of one hourly value, the first one first."""
        ...


class Fleet(Protocol):
    """The state of the gateways."""

    def fleet(self) -> tuple[GatewayState, ...]:
        """Return one state per gateway, by name."""
        ...

    def heads(self, gateway_id: UUID) -> tuple[ChainHead, ...]:
        """Return the heads of a gateway's chains, the chain written last first."""
        ...

    def holes(self, gateway_id: UUID) -> tuple[Hole, ...]:
        """Return the batches a gateway should send, lowest numbers first, at most 256."""
        ...

    def alarms(self, *, is_open: bool) -> tuple[Alarm, ...]:
        """Return the alarms that are open, or those that are closed, oldest first."""
        ...

    def raise_alarm(
        self, code: AlarmCode, gateway_id: UUID | None, *, subject: str = "", detail: str
    ) -> None:
        """Open an alarm, or count it once more when the same one is open.

        `subject` tells apart alarms of one code and gateway; gateway None: of no known gateway.
        """
        ...

    def close_alarm(self, code: AlarmCode, gateway_id: UUID | None, *, subject: str = "") -> None:
        """Close an alarm, if it is open."""
        ...

    def counts(self) -> Counts:
        """Return the totals for the metrics."""
        ...


class Store(Registry, Enrolment, Record, Ledger, Fleet, Log, Archive, Protocol):
    """All of it."""

    def close(self) -> None:
        """Let go of the database; nothing may be called afterwards."""
        ...
