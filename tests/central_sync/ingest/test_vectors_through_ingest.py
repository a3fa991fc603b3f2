"""Every committed vector, sent to a store as a gateway would: docs/wire-format.md section 14."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from uuid import UUID

import pytest

from central_sync.model import AlarmCode
from central_sync.store.admission import Outcome
from edge_agent.wire.frame import BatchFrame, FrameFlag, ReceiptFrame, frames
from edge_agent.wire.receipt import Receipt
from edge_agent.wire.refusal import Code, RefusedError
from edge_agent.wire.vocabulary import Verdict
from tests.conformance.store.stores import ADAPTERS, RECEIPT_KEY, Stored

VECTORS: Final = Path(__file__).parents[2] / "vectors"
CHAIN: Final = ("genesis", "ordinary", "eventful", "only_events")
DAMAGED: Final = sorted(VECTORS.glob("damaged/*.json"))
# 400 and 403 tell the code of the table; 422 tells its own, the check beside it.
STATUS: Final = {
    Code.FRAME: (400, "frame"),
    Code.HEADER: (400, "frame"),
    Code.KEY: (403, "key"),
    Code.SIGNATURE: (403, "key"),
    Code.ZSTD: (422, "body"),
    Code.PAYLOAD: (422, "body"),
    Code.HEADSTONE: (422, "body"),
}
# A place in the chain that is wrong is a gap; what does not count on is evidence.
GAPS: Final = {"chain_number_left_out", "chain_previous_unknown"}


def read(path: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return found


def frame_of(path: Path) -> bytes:
    return bytes.fromhex(read(path)["frame"])


def good(name: str) -> bytes:
    return frame_of(VECTORS / f"good/{name}.json")


def batch_in(frame: bytes) -> BatchFrame | None:
    """Return the batch in a frame, None if it is not one."""
    try:
        (found,) = frames(frame)
    except RefusedError:
        return None
    return None if isinstance(found, ReceiptFrame) else found


GENESIS: Final = batch_in(good("genesis"))
assert GENESIS is not None
GATEWAY: Final = UUID(bytes=GENESIS.header_bytes[16:32])


class Gateway:
    """The gateway of the vectors before a store."""

    gateway_id = GATEWAY

    def __init__(self, stored: Stored) -> None:
        keys = json.loads((VECTORS / "good/keys.json").read_text(encoding="utf-8"))
        stored.store.add_gateway(
            GATEWAY,
            facility="PLANT",
            name="vectors",
            public_key=bytes.fromhex(keys["gateway"]["public_key"]),
        )
        self.stored = stored

    def take(self, *sent: bytes) -> Outcome:
        """Send frames."""
        return self.stored.take(self, *sent)


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    stored = Stored(tmp_path, ADAPTERS["embedded"])
    yield Gateway(stored)
    stored.store.close()


def before(frame: bytes) -> list[bytes]:
    """Return what must be stored before a frame can be judged by what is wrong with it."""
    found = batch_in(frame)
    if found is None:
        return [good("genesis")]
    number = int.from_bytes(found.header_bytes[48:56], "little")
    if FrameFlag.HEADSTONE in found.flags:
        return [good(name) for name in CHAIN[:number]]
    is_genesis = found.header_bytes[14] & 1
    return [] if is_genesis else [good("genesis")]


def test_the_good_vectors_are_accepted_as_one_chain(gateway: Gateway) -> None:
    outcome = gateway.take(*map(good, CHAIN))
    assert outcome.refusal is None
    assert outcome.verdicts == (Verdict.ACCEPTED,) * len(CHAIN)


@pytest.mark.parametrize("name", ["headstone", "headstone_without_events"])
def test_the_good_headstones_are_kept_as_such(gateway: Gateway, name: str) -> None:
    frame = good(name)
    gateway.take(*before(frame))
    outcome = gateway.take(frame)
    assert outcome.verdicts == (Verdict.HEADSTONE,)


def test_a_receipt_is_one_that_this_centre_could_give(gateway: Gateway) -> None:
    """The field order of section 13: the vector reads back into the same bytes."""
    packed = bytes.fromhex(read(VECTORS / "good/receipt.json")["frame"])[8:]
    assert Receipt.unpack(packed).pack() == packed
    assert len(RECEIPT_KEY.key_id) == 32


@pytest.mark.parametrize("path", DAMAGED, ids=lambda path: path.stem)
def test_a_damaged_vector_gets_what_its_code_says(gateway: Gateway, path: Path) -> None:
    frame = frame_of(path)
    code = Code(read(path)["code"])
    stored_before = before(frame)
    assert len(gateway.take(*stored_before).receipts) == len(stored_before)
    outcome = gateway.take(frame)
    alarms = {alarm.code: alarm.detail for alarm in gateway.stored.store.alarms(is_open=True)}
    if code in STATUS:
        assert outcome.refusal is not None
        told = outcome.refusal
        assert ((told.status, told.code), told.check) == (STATUS[code], code)
        assert outcome.receipts == ()
        assert set(alarms) == ({AlarmCode.KEY} if told.status == 403 else set())
    elif path.stem in GAPS:
        assert outcome.refusal is not None
        assert (outcome.refusal.status, outcome.refusal.code) == (409, "gap")
    else:
        assert outcome.refusal is None
        assert outcome.verdicts == (Verdict.QUARANTINED,)
        alarm = AlarmCode.CHAIN if code is Code.CHAIN else AlarmCode.CONTENT
        assert set(alarms) == {alarm}
        assert code is Code.CHAIN or f"{code}: " in alarms[alarm]
