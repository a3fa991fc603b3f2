"""A centre that has met everything an archive can hold, and archives of it."""

from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from uuid import UUID

from central_sync.ingest.bundles import Bundles
from central_sync.store.admission import Outcome
from central_sync.witness.export import Exported, Exporter
from central_sync.witness.selection import Selection
from edge_agent.wire.frame import FrameFlag
from edge_agent.wire.receipt import Receipt
from edge_agent.wire.vocabulary import Hash, Verdict
from tests.central_sync.evaluate.signing_gateway import Centre
from tests.central_sync.ingest.signed_chain import (
    LATER,
    NONE_BEFORE,
    TEN,
    S,
    SignedChain,
    bundle_of,
    loss_of,
    rows_at,
    uuid_of,
)

PROFILE = b"profile"
HEADSTONE = FrameFlag.HEADSTONE


def chain_of(number: int) -> SignedChain:
    """Return the chain of a gateway with a number."""
    chain = SignedChain(gateway_id=uuid_of(100 + number), bundle=bundle_of(profile=PROFILE))
    chain.key = type(chain.key).from_seed(bytes([number]) * 32)
    chain.position = type(chain.position).genesis(uuid_of(200 + number))
    return chain


def register(centre: Centre, chain: SignedChain) -> None:
    """Accept the gateway of a chain from now on."""
    centre.store.add_gateway(
        chain.gateway_id,
        facility="PLANT",
        name=f"stack {chain.gateway_id.int % 100}",
        public_key=chain.key.public_bytes,
    )


def furnish(centre: Centre, *, batches: int = 8, scans: int = 2) -> list[SignedChain]:
    """Fill a centre: two gateways, a fork, a headstone, evidence, a hole, losses, hours."""
    chains = [chain_of(1), chain_of(2)]
    for chain in chains:
        register(centre, chain)
        for number in range(batches):
            at = [TEN + (number * scans + scan) * S for scan in range(scans)]
            centre.clock.now_ns += S
            _require(centre.take(chain.batch(rows_at(at))), Verdict.ACCEPTED)
    first, second = chains
    clone = replace(second, position=second.position)
    _require(centre.take(second.batch(rows_at([TEN + S]))), Verdict.ACCEPTED)
    _require(centre.take(clone.batch(rows_at([TEN + 2 * S]))), Verdict.BRANCH)
    _require(centre.take(first.unfit()), Verdict.QUARANTINED)
    rows = rows_at([TEN])
    given_up = first.batch(rows)
    _require(centre.take(first.headstone(rows, [], given_up), flags=HEADSTONE), Verdict.HEADSTONE)
    number = first.position.batch_no
    _require(centre.take(first.batch(events=[loss_of(first, number - 1, number - 1)])), 0)
    first.batch()  # never sent
    _require(centre.take(first.batch(), flags=NONE_BEFORE), Verdict.ACCEPTED)
    first.batch()  # comes later
    _require(centre.take(first.batch(), flags=LATER), Verdict.ACCEPTED)
    bundles = Bundles(store=centre.store, allow_simulated=True)
    bundles.put_bundle(Hash(sha256(first.bundle).digest()), first.bundle)
    bundles.put_profile(Hash(sha256(PROFILE).digest()), PROFILE)
    centre.compute()
    return chains


def export(centre: Centre, target: Path, *, gateway_id: UUID | None = None) -> Exported:
    """Write an archive of a centre."""
    exporter = Exporter(
        store=centre.store, witness=centre.parts.witness, now_ns=centre.clock, told=lambda _: None
    )
    return exporter.write(Selection(gateway_id=gateway_id), target)


def _require(outcome: Outcome, verdict: int) -> None:
    (receipt,) = outcome.receipts
    assert Receipt.unpack(receipt).verdict == verdict, outcome
