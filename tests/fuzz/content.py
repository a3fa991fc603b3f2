"""Fuzz targets of what a batch holds: events, the Arrow stream, and the whole payload."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import numpy as np

from central_sync.ingest.decode import body_of
from central_sync.model.arrow import _check_batch, _check_schema, rows_of_arrow
from central_sync.store.admission import Damaged
from edge_agent.wire.arrow import END_MARKER, SCHEMA_MESSAGE, arrow_stream
from edge_agent.wire.batch import record_root
from edge_agent.wire.canonical import parse_canonical
from edge_agent.wire.compression import compress, stored
from edge_agent.wire.events import parse_event
from edge_agent.wire.frame import FrameFlag
from edge_agent.wire.header import HEADER_SIZE, MAX_PAYLOAD, MIN_PAYLOAD, Header
from edge_agent.wire.payload import join
from edge_agent.wire.readings import ROW, check_scans
from edge_agent.wire.refusal import RefusedError
from edge_agent.wire.vocabulary import Hash
from tests.fuzz.mutation import mutated, reshaped, with_number
from tests.fuzz.target import Target
from tests.fuzz.wire import BATCHES
from tests.vectors.pieces import ORDINARY

if TYPE_CHECKING:
    import random

    from edge_agent.wire.readings import RowArray

LINES: Final = tuple(line for batch in BATCHES for line in batch.lines)
STREAM: Final = arrow_stream(ORDINARY.rows)
# The metadata of the record batch begins behind the schema message and its own prefix.
METADATA: Final = range(len(SCHEMA_MESSAGE), len(SCHEMA_MESSAGE) + 432, 4)
PAYLOADS: Final = tuple(batch for batch in BATCHES)


def line(chance: random.Random) -> bytes:
    """Return an event's line, as a rule canonical JSON."""
    written = chance.choice(LINES)
    if chance.random() < 0.3:
        return mutated(written, chance, 2)
    tree = reshaped(json.loads(written), chance)
    text = json.dumps(tree, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode(errors="replace")


def event() -> Target:
    """Return the target of one line of events."""

    def run(content: bytes) -> bool:
        try:
            parse_canonical(content)
        except RefusedError:
            is_canonical = False
        else:
            is_canonical = True
        with suppress(RefusedError):
            parse_event(content)
        return is_canonical

    return Target(make=line, run=run)


def stream(chance: random.Random) -> bytes:
    """Return an Arrow stream, changed most often where its metadata stands."""
    content = STREAM
    for _ in range(chance.randint(1, 2)):
        match chance.randrange(8):
            case 0:
                content = mutated(content, chance, 1)
            case 1:
                body = mutated(content[METADATA.stop : -8], chance, 1)
                content = content[: METADATA.stop] + body + END_MARKER
            case 2:
                content = with_number(content, 4 * chance.randrange(106), 4, chance)
            case _:
                content = with_number(content, chance.choice(METADATA), 4, chance)
    return content


def arrow() -> Target:
    """Return the target of an Arrow stream; the outermost check is ours, before the library."""

    def run(content: bytes) -> bool:
        try:
            is_framed = _check_batch(content, _check_schema(content)) > 0
        except RefusedError:
            is_framed = False
        try:
            rows = rows_of_arrow(content)
        except RefusedError:
            return is_framed
        with suppress(RefusedError):
            check_scans(rows)
        return is_framed

    return Target(make=stream, run=run)


def rows(chance: random.Random) -> RowArray:
    """Return rows whose columns hold notable numbers here and there."""
    found = chance.choice(BATCHES).rows.copy()
    if not len(found):
        return found
    for _ in range(chance.randint(0, 3)):
        name = chance.choice(ROW.names or ())
        size = ROW[name].itemsize
        number = with_number(bytes(size), 0, size, chance)
        found[name][chance.randrange(len(found))] = np.frombuffer(number, ROW[name])[0]
    return found


def payload() -> Target:
    """Return the target of a body behind a header that vouches for it, as the centre reads it."""

    def make(chance: random.Random) -> bytes:
        signed = chance.choice(BATCHES).header
        if chance.random() < 0.5:
            some_rows = rows(chance)
            some_lines = [line(chance) for _ in range(chance.randrange(3))]
            readings = arrow_stream(some_rows)
            with suppress(RefusedError):
                root = record_root(some_rows, some_lines) if readings or some_lines else bytes(32)
                content = join(readings, some_lines)
                return _vouched(
                    replace(signed, record_root=Hash(root), record_count=len(some_rows)),
                    content,
                    chance,
                )
        return _vouched(signed, mutated(chance.choice(PAYLOADS).payload, chance), chance)

    def run(content: bytes) -> bool:
        header = Header.unpack(content[:HEADER_SIZE])
        return not isinstance(body_of(header, content[HEADER_SIZE:], FrameFlag(0)), Damaged)

    return Target(make=make, run=run)


def _vouched(header: Header, content: bytes, chance: random.Random) -> bytes:
    """Return a header that vouches for a payload, as a rule, and the body."""
    pack = compress if chance.random() < 0.3 else stored
    body = pack(content)
    if chance.random() < 0.1:
        body = mutated(body, chance, 2)
    if MIN_PAYLOAD <= len(content) <= MAX_PAYLOAD and chance.random() < 0.95:
        header = replace(
            header, payload_len=len(content), payload_sha256=Hash(sha256(content).digest())
        )
    return header.pack() + body
