"""Every adapter of the store port, each over something that outlives its closing."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from uuid import UUID

from central_sync.ingest.admit import admit
from central_sync.ingest.receipt_key import receipts_by
from central_sync.ingest.receive import prepared
from central_sync.model import AlarmCode
from central_sync.store.admission import Outcome, Sign, Submission
from central_sync.store.embedded import EmbeddedStore
from central_sync.store.migrations.upgrade import upgrade
from central_sync.store.port import NowNs, Store
from edge_agent.wire.batch import SignedBatch
from edge_agent.wire.signing import SigningKey
from edge_agent.wire.vocabulary import Verdict
from tests.central_sync.ingest.signed_chain import TEN, S, SignedChain

RECEIPT_KEY = SigningKey.from_seed(b"r" * 32)
OpenStore = Callable[[Path, Sign, NowNs], Store]


def embedded(folder: Path, sign: Sign, now_ns: NowNs) -> Store:
    """Open the embedded store in a folder."""
    file = folder / "centre.db"
    if not file.exists():
        upgrade(f"sqlite:///{file}")
    return EmbeddedStore(file, admit=admit, sign=sign, now_ns=now_ns)


ADAPTERS: dict[str, OpenStore] = {"embedded": embedded}


class Sender(Protocol):
    """Whoever sends frames under the name of a gateway."""

    @property
    def gateway_id(self) -> UUID:
        """The gateway."""
        ...


@dataclass
class Stored:
    """A store under test, with its clock, its way in, and a way to crash."""

    folder: Path
    open_store: OpenStore
    sign: Sign = field(default_factory=lambda: receipts_by(RECEIPT_KEY))
    now_ns: int = TEN + 3600 * S

    def __post_init__(self) -> None:
        self.store = self.open_store(self.folder, self.sign, lambda: self.now_ns)

    def reopen(self) -> None:
        """Close the store and open it again over the same folder."""
        self.store.close()
        self.store = self.open_store(self.folder, self.sign, lambda: self.now_ns)

    def register(self, chain: SignedChain, name: str = "stack 1") -> None:
        """Register the gateway of a chain."""
        self.store.add_gateway(
            chain.gateway_id, facility="PLANT", name=name, public_key=chain.key.public_bytes
        )

    def submission(self, sender: Sender, *frames: bytes) -> Submission:
        """Return frames as one request of a gateway, looked through."""
        return prepared(
            sender.gateway_id,
            b"".join(frames),
            store=self.store,
            receipt_key=RECEIPT_KEY.verifying_key,
        )

    def take(self, sender: Sender, *frames: bytes) -> Outcome:
        """Take one request."""
        (outcome,) = self.store.accept([self.submission(sender, *frames)])
        return outcome


def verdict_of(stored: Stored, batch: SignedBatch) -> Verdict | None:
    """Return the verdict under which a batch is stored, None if it is not."""
    header = batch.header
    found = stored.store.batch(header.gateway_id, header.chain_id, header.batch_no)
    return None if found is None else found.verdict


def open_codes(stored: Stored) -> set[AlarmCode]:
    """Return the codes of the alarms that are open."""
    return {alarm.code for alarm in stored.store.alarms(is_open=True)}
