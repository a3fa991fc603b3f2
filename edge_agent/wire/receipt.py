"""Receipts: the centre's signed word that it has a batch, against which it may be forgotten.

A receipt vouches for its own batch only (docs/wire-format.md section 13).
"""

import struct
from dataclasses import dataclass
from typing import Final, Self
from uuid import UUID

from edge_agent.wire.header import Header
from edge_agent.wire.refusal import Code, RefusedError
from edge_agent.wire.signing import RECEIPT_CONTEXT, SIGNATURE_SIZE, SigningKey, VerifyingKey
from edge_agent.wire.vocabulary import Hash, Verdict

RECEIPT_SIZE: Final = 185
NO_LOG: Final = 2**64 - 1
"""log_index where the centre keeps no log."""

_BODY: Final = struct.Struct("<32s16s16sQ32sQqB")


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPlace:
    """What a receipt is about: which batch of which chain of which gateway."""

    gateway_id: UUID
    chain_id: UUID
    batch_no: int
    batch_hash: Hash

    @classmethod
    def of(cls, header: Header, batch_hash: Hash) -> Self:
        """Return the place of the batch with this header."""
        return cls(
            gateway_id=header.gateway_id,
            chain_id=header.chain_id,
            batch_no=header.batch_no,
            batch_hash=batch_hash,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """One receipt, field by field docs/wire-format.md section 13; not verified yet."""

    server_key_id: Hash
    gateway_id: UUID
    chain_id: UUID
    batch_no: int
    batch_hash: Hash
    log_index: int
    received_ns: int
    verdict: Verdict
    signature: bytes

    @property
    def place(self) -> BatchPlace:
        """The batch that it vouches for."""
        return BatchPlace(
            gateway_id=self.gateway_id,
            chain_id=self.chain_id,
            batch_no=self.batch_no,
            batch_hash=self.batch_hash,
        )

    @property
    def signed_bytes(self) -> bytes:
        """The 121 bytes under the signature."""
        return _BODY.pack(
            self.server_key_id,
            self.gateway_id.bytes,
            self.chain_id.bytes,
            self.batch_no,
            self.batch_hash,
            self.log_index,
            self.received_ns,
            self.verdict,
        )

    def pack(self) -> bytes:
        """Return the 185 bytes."""
        return self.signed_bytes + self.signature

    @classmethod
    def unpack(cls, receipt: bytes) -> Self:
        """Return the receipt in these 185 bytes.

        Raises:
            RefusedError: FRAME: another length, or an unknown verdict.

        """
        if len(receipt) != RECEIPT_SIZE:
            raise RefusedError(Code.FRAME, f"a receipt of {len(receipt)} bytes, not {RECEIPT_SIZE}")
        server_key, gateway, chain, batch_no, batch_hash, log_index, received_ns, verdict = (
            _BODY.unpack_from(receipt)
        )
        if verdict > max(Verdict):
            raise RefusedError(Code.FRAME, f"verdict is {verdict}, must be 0 to 3")
        return cls(
            server_key_id=server_key,
            gateway_id=UUID(bytes=gateway),
            chain_id=UUID(bytes=chain),
            batch_no=batch_no,
            batch_hash=batch_hash,
            log_index=log_index,
            received_ns=received_ns,
            verdict=Verdict(verdict),
            signature=receipt[-SIGNATURE_SIZE:],
        )


def sign_receipt(
    key: SigningKey,
    place: BatchPlace,
    *,
    verdict: Verdict,
    received_ns: int,
    log_index: int = NO_LOG,
) -> Receipt:
    """Return the receipt for one stored batch; received_ns is UTC ns."""
    fields = _BODY.pack(
        key.key_id,
        place.gateway_id.bytes,
        place.chain_id.bytes,
        place.batch_no,
        place.batch_hash,
        log_index,
        received_ns,
        verdict,
    )
    return Receipt.unpack(fields + key.sign(RECEIPT_CONTEXT, fields))


def verify_receipt(receipt: Receipt, key: VerifyingKey, place: BatchPlace) -> None:
    """Refuse a receipt that does not vouch for this batch under this key.

    Whether its verdict allows to forget the readings is the caller's question.

    Raises:
        RefusedError: KEY: made by another key; CHAIN: about another batch; SIGNATURE: not signed.

    """
    if receipt.server_key_id != key.key_id:
        raise RefusedError(Code.KEY, f"receipt of key {receipt.server_key_id.hex()[:16]}")
    if receipt.place != place:
        raise RefusedError(Code.CHAIN, f"receipt for {receipt.place}, not for {place}")
    key.verify(RECEIPT_CONTEXT, receipt.signed_bytes, receipt.signature)
