"""Every rule for header, signature, body and parts, broken once and refused by its name."""

from __future__ import annotations

import hashlib
import re
import struct
from dataclasses import replace

import pytest
import zstandard
from ewcheck.faults import InvalidError
from ewcheck.payload import parts
from forge import HeadFields, Made, arrow, compressed, joined, signed
from samples import EVENTS, GOOD, ROWS, SECOND, judged


def test_a_good_batch_gives_its_rows_and_events() -> None:
    batch_read = judged(GOOD)
    assert [tuple(row) for row in batch_read.rows] == ROWS
    assert [e["type"] for e in batch_read.events] == ["continue", "config_applied"]
    assert batch_read.scan_count == 2
    assert batch_read.header.batch_hash == GOOD.batch_hash


HEADERS: list[tuple[str, HeadFields]] = [
    ("magic", {"magic": b"EWBATCH2"}),
    ("header_len", {"header_len": 313}),
    ("sig_alg", {"sig_alg": 2}),
    ("hash_alg", {"hash_alg": 2}),
    ("payload_fmt", {"payload_fmt": 2}),
    ("an unknown flag", {"flags": 17}),
    ("number 0 exactly in a genesis", {"batch_no": 1}),
    ("batch_no below 2^63", {"batch_no": 1 << 63, "flags": 0, "prev_batch_hash": b"p" * 32}),
    ("prev_batch_hash zero exactly in a genesis", {"prev_batch_hash": b"p" * 32}),
    ("first_seq 0 in a genesis", {"first_seq": 1}),
    ("record_count", {"record_count": 65_537}),
    ("mono_ns below 0", {"mono_ns": -1}),
    ("flag 4 exactly when the clock's error", {"flags": 5}),
    ("flag 4 exactly when the clock's error", {"wall_unc_ms": 0xFFFFFFFF}),
    ("clock_state", {"clock_state": 6}),
    ("an unset clock has no error", {"clock_state": 0}),
    ("reserved", {"reserved": 1}),
    ("payload_len", {"payload_len": 8}),
    ("payload_len", {"payload_len": 4_194_305}),
]


@pytest.mark.parametrize(("rule", "changes"), HEADERS)
def test_a_header_out_of_range_is_refused(rule: str, changes: HeadFields) -> None:
    with pytest.raises(InvalidError, match=re.escape(rule)):
        judged(GOOD.with_header(**changes))


def test_a_header_of_another_length_is_refused() -> None:
    with pytest.raises(InvalidError, match="311 bytes"):
        judged(replace(GOOD, header=GOOD.header[:-1]))


SIGNATURES = [
    ("not that of the key", replace(GOOD, signature=bytes(64))),
    ("63 bytes", replace(GOOD, signature=GOOD.signature[1:])),
    ("none of the gateway's", GOOD.with_header(key_id=b"k" * 32)),
    ("signature: not that", signed(GOOD.head, GOOD, seed=2)),
]


@pytest.mark.parametrize(("rule", "made"), SIGNATURES)
def test_a_signature_that_is_not_the_gateways_is_refused(rule: str, made: Made) -> None:
    with pytest.raises(InvalidError, match=rule):
        judged(made)


def test_every_signed_byte_is_covered() -> None:
    for at in range(len(GOOD.header)):
        flipped = bytearray(GOOD.header)
        flipped[at] ^= 0x40
        with pytest.raises(InvalidError):
            judged(replace(GOOD, header=bytes(flipped)))


PAYLOAD = joined(arrow(ROWS), EVENTS)
SMALL = zstandard.ZstdCompressor(level=3)
CHUNKED = SMALL.compressobj()
WITHOUT_SIZE = CHUNKED.compress(PAYLOAD) + CHUNKED.flush()
HUGE_WINDOW = GOOD.body[:4] + bytes([0x80, 0xB8]) + struct.pack("<I", len(PAYLOAD)) + b"\1\0\0"
BODIES = [
    ("zstd: no content size", WITHOUT_SIZE),
    ("zstd: the frame ends at", GOOD.body + b"\0"),
    ("zstd: the frame ends at", GOOD.body + GOOD.body),
    ("zstd: the frame is cut off", GOOD.body[:-1]),
    ("zstd: the frame is cut off", GOOD.body[:5]),
    ("zstd: content size", compressed(PAYLOAD + b"\0")),
    ("payload: its hash", compressed(bytes(len(PAYLOAD)))),
    ("zstd: a dictionary", GOOD.body[:4] + bytes([GOOD.body[4] | 1]) + GOOD.body[5:]),
    ("zstd: a window", HUGE_WINDOW),
    ("zstd: a reserved block", GOOD.body[:7] + b"\7\0\0"),
    ("headstone: cut off", b"\1\0\0\0"),
]


@pytest.mark.parametrize(("rule", "body"), BODIES)
def test_a_body_that_is_not_what_was_signed_is_refused(rule: str, body: bytes) -> None:
    with pytest.raises(InvalidError, match=rule):
        judged(replace(GOOD, body=body))


@pytest.mark.parametrize("level", [-5, 1, 3, 19])
def test_any_level_with_or_without_checksum_is_taken(level: int) -> None:
    for checksum in (True, False):
        compressor = zstandard.ZstdCompressor(level=level, write_checksum=checksum)
        assert judged(replace(GOOD, body=compressor.compress(PAYLOAD))).scan_count == 2


PARTS = [
    ("behind the events", PAYLOAD + b"\0"),
    ("no length of the events", struct.pack("<IB", 1, 7) + b"\0\0\0"),
    ("readings of", struct.pack("<I", 99) + bytes(8)),
    ("neither a row nor an event", bytes(8)),
]


@pytest.mark.parametrize(("rule", "payload"), PARTS)
def test_parts_that_do_not_fit_are_refused(rule: str, payload: bytes) -> None:
    with pytest.raises(InvalidError, match=rule):
        parts(payload)


def test_a_headstone_keeps_its_events_and_gives_up_its_rows() -> None:
    batch_read = judged(SECOND.as_headstone())
    assert batch_read.is_headstone
    assert not batch_read.rows
    assert [e["type"] for e in batch_read.events] == ["note"]


@pytest.mark.parametrize(
    ("rule", "hashes"),
    [
        ("do not fold", [hashlib.sha256().digest()]),
        ("too few", []),
        ("more hashes", [bytes(32), bytes(32)]),
    ],
)
def test_a_headstone_that_does_not_fold_is_refused(rule: str, hashes: list[bytes]) -> None:
    with pytest.raises(InvalidError, match=rule):
        judged(SECOND.as_headstone(hashes=hashes))


def test_a_headstone_with_bytes_behind_it_is_refused() -> None:
    stone = SECOND.as_headstone()
    with pytest.raises(InvalidError, match="rest of the body"):
        judged(replace(stone, body=stone.body + b"\0"))
