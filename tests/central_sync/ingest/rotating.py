"""A gateway that changes its signing key: the last word of one, the chain of the next."""

from dataclasses import replace

from edge_agent.wire.enrolment import rotation_fields
from edge_agent.wire.events import Event
from edge_agent.wire.signing import SigningKey
from tests.central_sync.ingest.signed_chain import TEN, SignedChain, uuid_of

NEXT = SigningKey.from_seed(b"n" * 32)


def rotated(chain: SignedChain, **changed: object) -> Event:
    """Return the last word of a chain's key, with some fields changed."""
    fields = rotation_fields(
        gateway_id=chain.gateway_id,
        chain_id=chain.position.chain_id,
        old_key_id=chain.key.key_id,
        new_key=NEXT,
    )
    merged = {name: value for name, value in (fields | changed).items() if value is not None}
    return Event(type="key_rotated", at_ns=TEN, mono_ns=0, fields=merged)  # type: ignore[arg-type] # wrong on purpose


def following(chain: SignedChain) -> SignedChain:
    """Return the chain of the next key of this gateway; `previous` is set by a test."""
    made = SignedChain(gateway_id=chain.gateway_id, key=NEXT)
    made.position = replace(made.position, chain_id=uuid_of(20))
    return made
