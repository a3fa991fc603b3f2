"""Fuzz targets of the frame, the header, the receipt and the headstone.

Inputs begin as the good vectors. Lengths, hashes and signatures are made anew for most of them, so
that what lies behind the outermost check is met as well.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from struct import pack
from typing import TYPE_CHECKING, Final

from edge_agent.wire.chain import link_fault, successor_fault
from edge_agent.wire.frame import BatchFrame, ReceiptFrame, encode_receipt, frames
from edge_agent.wire.header import HEADER_SIZE, Header, batch_hash
from edge_agent.wire.headstone import Headstone, open_headstone
from edge_agent.wire.merkle import event_leaf, fold_headstone
from edge_agent.wire.receipt import BatchPlace, Receipt, sign_receipt, verify_receipt
from edge_agent.wire.refusal import RefusedError
from edge_agent.wire.signing import BATCH_CONTEXT, RECEIPT_CONTEXT
from edge_agent.wire.vocabulary import Hash, Verdict
from tests.fuzz.mutation import mutated, with_number
from tests.fuzz.target import Target
from tests.vectors.good import headstone_frame, headstone_of
from tests.vectors.pieces import EVENTFUL, GENESIS, KEY, ONLY_EVENTS, ORDINARY, SERVER_KEY

if TYPE_CHECKING:
    import random

BATCHES: Final = (GENESIS, ORDINARY, EVENTFUL, ONLY_EVENTS)
STONES: Final = tuple((batch, headstone_of(batch)) for batch in (GENESIS, EVENTFUL, ORDINARY))
PLACE: Final = BatchPlace.of(ORDINARY.header, ORDINARY.batch_hash)
RECEIPT: Final = sign_receipt(SERVER_KEY, PLACE, verdict=Verdict.ACCEPTED, received_ns=1).pack()
FRAMES: Final = (
    *(batch.frame for batch in BATCHES),
    *(headstone_frame(batch, stone.pack()) for batch, stone in STONES),
    encode_receipt(RECEIPT),
)
# Offset and size of each number of a header, and of the hashes (docs/wire-format.md section 2).
NUMBERS: Final = (
    *((8, 2), (10, 1), (11, 1), (12, 2), (14, 2), (48, 8), (56, 8), (64, 4), (68, 4)),
    *((88, 8), (96, 8), (104, 4), (108, 2), (110, 2), (112, 8)),
)
HASHES: Final = tuple(range(120, HEADER_SIZE, 32))
RECEIPT_NUMBERS: Final = ((64, 8), (104, 8), (112, 8), (120, 1))


def header_bytes(chance: random.Random) -> bytes:
    """Return 312 bytes, as a rule: fields of a good header changed."""
    content = chance.choice(BATCHES).header_bytes
    for _ in range(chance.randint(1, 2)):
        match chance.randrange(8):
            case 0:
                start = chance.choice(HASHES)
                new = chance.choice((bytes(32), chance.randbytes(32)))
                content = content[:start] + new + content[start + 32 :]
            case 1:
                content = mutated(content, chance, 1)
            case _:
                content = with_number(content, *chance.choice(NUMBERS), chance)
    return content


def request(chance: random.Random) -> bytes:
    """Return frames one after another, the last of them changed."""
    parts = [chance.choice(FRAMES) for _ in range(chance.randint(1, 3))]
    match chance.randrange(4):
        case 0:
            return mutated(b"".join(parts), chance)
        case 1:  # the length is right again
            content = mutated(parts[-1][4:], chance)
            parts[-1] = pack("<I", len(content)) + content
        case 2:
            parts[-1] = with_number(parts[-1], 4, 4, chance)
        case _:
            parts[-1] = with_number(parts[-1], 0, 4, chance)
    return b"".join(parts)


def frame() -> Target:
    """Return the target of a request: its frames, one after another."""

    def run(content: bytes) -> bool:
        count = 0
        with suppress(RefusedError):
            for found in frames(content):
                count += 1
                if isinstance(found, BatchFrame) and len(found.header_bytes) != HEADER_SIZE:
                    raise ValueError("a header of another size")
        return count > 0

    return Target(make=request, run=run)


def header() -> Target:
    """Return the target of a header: what is accepted packs to the same bytes."""

    def run(content: bytes) -> bool:
        try:
            found = Header.unpack(content)
        except RefusedError:
            return False
        if found.pack() != content:
            raise ValueError("a header that is accepted packs to other bytes")
        return True

    return Target(make=header_bytes, run=run)


def signed() -> Target:
    """Return the target of a signed header in its frame, and of its place in the chain."""

    def make(chance: random.Random) -> bytes:
        content = header_bytes(chance)
        signature = KEY.sign(BATCH_CONTEXT, content)
        if chance.random() < 0.2:
            signature = mutated(signature, chance, 1)
        rest = bytes(4) + content + signature + ORDINARY.body
        return pack("<I", len(rest)) + rest

    def run(content: bytes) -> bool:
        try:
            (found,) = frames(content)
            if isinstance(found, ReceiptFrame):
                return False
            unpacked = Header.unpack(found.header_bytes)
            KEY.verifying_key.verify(BATCH_CONTEXT, found.header_bytes, found.signature)
        except RefusedError:
            return False
        link_fault(GENESIS.header, GENESIS.batch_hash, unpacked)
        successor_fault(GENESIS.header, unpacked)
        batch_hash(found.header_bytes)
        return True

    return Target(make=make, run=run)


def receipt() -> Target:
    """Return the target of a receipt: it is believed only for its own batch."""

    def make(chance: random.Random) -> bytes:
        content = RECEIPT
        if chance.random() < 0.7:
            content = with_number(content, *chance.choice(RECEIPT_NUMBERS), chance)
        else:
            content = mutated(content, chance, 2)
        said = content[:121]
        return said + SERVER_KEY.sign(RECEIPT_CONTEXT, said) if chance.random() < 0.5 else content

    def run(content: bytes) -> bool:
        try:
            found = Receipt.unpack(content)
        except RefusedError:
            return False
        if found.pack() != content:
            raise ValueError("a receipt that is accepted packs to other bytes")
        try:
            verify_receipt(found, SERVER_KEY.verifying_key, PLACE)
        except RefusedError:
            return True
        if found.place != PLACE:
            raise ValueError("a receipt for another batch is believed")
        return True

    return Target(make=make, run=run)


def stone_body(chance: random.Random) -> bytes:
    """Return a header and a headstone's body, whose root the header often vouches for."""
    batch, stone = chance.choice(STONES)
    body = stone.pack()
    if chance.random() < 0.5:
        body = with_number(body, chance.choice((0, 4)), 4, chance)
    elif chance.random() < 0.5:
        body = mutated(body, chance, 2)
    signed_header = batch.header
    with suppress(RefusedError):
        found = Headstone.unpack(body)
        events = [event_leaf(line) for line in found.event_lines]
        if chance.random() < 0.7:
            hashes = tuple(Hash(chance.randbytes(32)) for _ in found.hashes)
            root = fold_headstone(found.scan_count, hashes, events)
            body = replace(found, hashes=hashes).pack()
            signed_header = replace(signed_header, record_root=root)
    return signed_header.pack() + body


def headstone() -> Target:
    """Return the target of a headstone's body."""

    def run(content: bytes) -> bool:
        signed_header, body = Header.unpack(content[:HEADER_SIZE]), content[HEADER_SIZE:]
        try:
            Headstone.unpack(body)
        except RefusedError:
            return False
        with suppress(RefusedError):
            open_headstone(signed_header, body)
        return True

    return Target(make=stone_body, run=run)
