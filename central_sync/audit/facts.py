"""What the log says of keys, gateways and files: the auditor's only register.

Facts are believed here as they stand; that they stand in the log is checked in `audit.log`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from central_sync.proofs import entry as types
from central_sync.proofs.entry import FactEntry
from central_sync.proofs.note import NoteKey
from edge_agent.wire.refusal import Code, RefusedError
from edge_agent.wire.signing import VerifyingKey
from edge_agent.wire.vocabulary import Hash

TOLD_APART: Final = 32
"""Open alarms of one code and gateway that the centre tells apart (docs/alarms.md)."""


@dataclass(slots=True)
class Facts:
    """Keys by their id, and where in the log things happened.

    Attributes:
        log_keys: keys of the log, oldest first, with the index of the fact.
        receipt_keys: by key_id.
        gateway_keys: by gateway and key_id.
        gateways: all that were ever added.
        revoked: index of the revocation, by gateway.
        revoked_keys: index of the revocation, by gateway and key_id.
        bundles: hashes of configurations that the centre keeps.
        profiles: hashes of profile files that the centre keeps.
        alarms: code, gateway ("" for none) and subject of each alarm that was raised.

    """

    log_keys: list[tuple[int, NoteKey]] = field(default_factory=list)
    receipt_keys: dict[bytes, VerifyingKey] = field(default_factory=dict)
    gateway_keys: dict[tuple[UUID, bytes], VerifyingKey] = field(default_factory=dict)
    gateways: set[UUID] = field(default_factory=set)
    revoked: dict[UUID, int] = field(default_factory=dict)
    revoked_keys: dict[tuple[UUID, bytes], int] = field(default_factory=dict)
    bundles: set[bytes] = field(default_factory=set)
    profiles: set[bytes] = field(default_factory=set)
    alarms: list[tuple[str, str, str]] = field(default_factory=list)

    def take(self, index: int, fact: FactEntry) -> None:
        """Take in one fact; types that are not known are skipped.

        Raises:
            RefusedError: EVENT or KEY: a known one that lacks what it must have.

        """
        take = _TAKES.get(fact.type)
        if take is not None:
            take(self, index, fact)

    def gateway_key(self, gateway_id: UUID, key_id: bytes) -> VerifyingKey:
        """Return a signing key.

        Raises:
            RefusedError: KEY: the log knows none such.

        """
        key = self.gateway_keys.get((gateway_id, key_id))
        if key is None:
            raise RefusedError(
                Code.KEY, f"the log has no key {key_id.hex()[:16]} of gateway {gateway_id}"
            )
        return key

    def receipt_key(self, key_id: bytes) -> VerifyingKey:
        """Return a key of the centre that signs receipts.

        Raises:
            RefusedError: KEY: the log knows none such.

        """
        key = self.receipt_keys.get(key_id)
        if key is None:
            raise RefusedError(Code.KEY, f"the log has no receipt key {key_id.hex()[:16]}")
        return key

    def is_after_revocation(self, index: int, gateway_id: UUID, key_id: bytes) -> bool:
        """Return whether a place in the log is behind the end of a gateway, or of its key."""
        ends = (self.revoked.get(gateway_id), self.revoked_keys.get((gateway_id, key_id)))
        return any(end is not None and index > end for end in ends)

    def has_alarm(self, code: str, gateway_id: UUID, chain_id: UUID) -> bool:
        """Return whether the centre once raised such an alarm about a chain.

        It tells apart so many of one code and gateway, and counts others on one of them.
        """
        of_gateway = [one for one in self.alarms if one[:2] == (code, str(gateway_id))]
        told_apart = {subject for _, _, subject in of_gateway}
        return str(chain_id) in told_apart or len(told_apart) >= TOLD_APART


def _log_key(facts: Facts, index: int, fact: FactEntry) -> None:
    facts.log_keys.append((index, NoteKey.parse(fact.text("key"))))


def _receipt_key(facts: Facts, _: int, fact: FactEntry) -> None:
    key = _key(fact)
    facts.receipt_keys[key.key_id] = key


def _gateway_key(facts: Facts, _: int, fact: FactEntry) -> None:
    key = _key(fact)
    facts.gateway_keys[fact.gateway(), key.key_id] = key


def _gateway(facts: Facts, _: int, fact: FactEntry) -> None:
    facts.gateways.add(fact.gateway())


def _revoked(facts: Facts, index: int, fact: FactEntry) -> None:
    facts.revoked.setdefault(fact.gateway(), index)


def _revoked_key(facts: Facts, index: int, fact: FactEntry) -> None:
    facts.revoked_keys.setdefault((fact.gateway(), fact.octets("key_id")), index)


def _bundle(facts: Facts, _: int, fact: FactEntry) -> None:
    facts.bundles.add(fact.octets("sha256"))


def _profile(facts: Facts, _: int, fact: FactEntry) -> None:
    facts.profiles.add(fact.octets("sha256"))


def _alarm(facts: Facts, _: int, fact: FactEntry) -> None:
    gateway = fact.fields.get("gateway")
    facts.alarms.append((fact.text("code"), str(gateway or ""), fact.text("subject")))


def _key(fact: FactEntry) -> VerifyingKey:
    key = VerifyingKey(fact.octets("public_key"))
    if key.key_id != Hash(fact.octets("key_id")):
        raise RefusedError(Code.KEY, f"{fact.type}: key_id is not that of the key")
    return key


_TAKES: Final[Mapping[str, Callable[[Facts, int, FactEntry], None]]] = {
    types.LOG_STARTED: _log_key,
    types.LOG_RESTARTED: _log_key,
    types.RECEIPT_KEY: _receipt_key,
    types.KEY_REGISTERED: _gateway_key,
    types.GATEWAY_ADDED: _gateway,
    types.GATEWAY_REVOKED: _revoked,
    types.KEY_REVOKED: _revoked_key,
    types.BUNDLE_STORED: _bundle,
    types.PROFILE_STORED: _profile,
    types.ALARM_RAISED: _alarm,
}
