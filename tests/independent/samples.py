"""Two good batches from which the tests of single rules are broken."""

from __future__ import annotations

from ewcheck.batch import Batch, verified
from ewcheck.receipt import key_id
from forge import Made, batch, event, private_key
from world import genesis_events, scan

KEYS = {key_id(private_key().public_key()): private_key().public_key()}
ROWS = [*scan(0, 1), *scan(1, 2)]
GOOD = batch(ROWS, genesis_events())
SECOND = batch(ROWS, [event("note", who="a", text="b")], GOOD)
EVENTS = b"".join(each + b"\n" for each in GOOD.events)


def judged(made: Made) -> Batch:
    """Return the batch of made bytes."""
    return verified(made.header, made.signature, made.body, KEYS)
