"""Damaged vectors, first half: frame, header, key, chain and body are not what they should be.

One rule is broken in each, everything else is good. Each batch follows the genesis of the good
vectors, or is one; its verifier holds that genesis and the gateway's key. What was damaged before
the signature is signed anew, so that exactly the named rule decides.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import replace
from hashlib import sha256

from edge_agent.wire.frame import FrameFlag
from edge_agent.wire.headstone import Headstone
from edge_agent.wire.refusal import Code
from edge_agent.wire.signing import BATCH_CONTEXT, SigningKey
from edge_agent.wire.vocabulary import Hash
from tests.vectors.damage import Damage, damage
from tests.vectors.good import Document, headstone_frame, headstone_of
from tests.vectors.pieces import (
    EVENTFUL,
    GENESIS,
    MONO_NS,
    ORDINARY,
    raw_zstd,
    resigned,
    with_header_bytes,
)


def documents() -> Mapping[str, Document]:
    """Return the damaged vectors by name; the name begins with the code."""
    makers = (_frames, _headers, _signatures, _chains, _zstd, _headstones)
    return {one.name: one.document for maker in makers for one in maker()}


def _frames() -> Iterator[Damage]:
    good = ORDINARY.frame

    def flagged(flags: int) -> bytes:
        return good[:4] + struct.pack("<I", flags) + good[8:]

    yield damage(Code.FRAME, "cut_off", good[:-1], "length counts one byte more than there is")
    yield damage(Code.FRAME, "flags_3", flagged(3), "a headstone cannot be a receipt")
    yield damage(Code.FRAME, "flags_12", flagged(12), "gone, or following later: not both")
    yield damage(Code.FRAME, "flags_16", flagged(16), "flag 16 is unknown")
    yield damage(
        Code.FRAME,
        "half_a_signature",
        struct.pack("<I", 4 + 312 + 32) + good[4 : 8 + 312 + 32],
        "a batch has a header of 312 and a signature of 64 bytes",
    )
    yield damage(
        Code.FRAME,
        "receipt_of_184_bytes",
        struct.pack("<II", 188, FrameFlag.RECEIPT) + bytes(184),
        "a receipt has 185 bytes",
    )


def _headers() -> Iterator[Damage]:
    def patched(name: str, offset: int, layout: str, value: object, why: str) -> Damage:
        header = bytearray(ORDINARY.header_bytes)
        struct.pack_into(layout, header, offset, value)
        return damage(Code.HEADER, name, with_header_bytes(ORDINARY, bytes(header)), why)

    yield patched("magic", 0, "8s", b"EWBATCH2", "another magic is another format")
    yield patched("length", 8, "<H", 311, "header_len is 312")
    yield patched("sig_alg", 10, "B", 2, "signature algorithm 2 is reserved")
    yield patched("hash_alg", 11, "B", 2, "the only hash algorithm is 1")
    yield patched("payload_fmt", 12, "<H", 2, "the only payload format is 1")
    yield patched("flag_16", 14, "<H", 16, "flag 16 is unknown")
    yield patched("genesis_with_number", 14, "<H", 1, "a genesis has batch_no 0")
    yield patched("number_0", 48, "<Q", 0, "batch_no 0 is that of a genesis")
    yield patched("record_count", 64, "<I", 65_537, "a batch has at most 65,536 rows")
    yield patched("mono_ns", 88, "<q", -1, "mono_ns is not negative")
    yield patched(
        "clock_flag", 104, "<I", 0xFFFF_FFFF, "an unknown error sets flag 4, and nothing else does"
    )
    yield patched("clock_unset", 108, "<H", 0, "an unset clock has an unknown error")
    yield patched("clock_state", 108, "<H", 6, "clock states end at 5")
    yield patched("reserved", 110, "<H", 1, "reserved is 0")
    yield patched("payload_len", 112, "<Q", 4_194_305, "a payload has at most 4,194,304 bytes")
    yield patched("no_previous", 120, "32s", bytes(32), "only a genesis follows nothing")


def _signatures() -> Iterator[Damage]:
    other = SigningKey.from_seed(bytes(range(1, 33)))
    header = replace(ORDINARY.header, key_id=other.key_id).pack()
    stranger = replace(ORDINARY, header_bytes=header, signature=other.sign(BATCH_CONTEXT, header))
    yield damage(Code.KEY, "unknown", stranger, "well signed, by a key that nobody enrolled")
    flipped = ORDINARY.signature[:-1] + bytes([ORDINARY.signature[-1] ^ 1])
    yield damage(
        Code.SIGNATURE, "changed", replace(ORDINARY, signature=flipped), "one bit is flipped"
    )
    yield damage(
        Code.SIGNATURE,
        "of_another",
        replace(ORDINARY, signature=GENESIS.signature),
        "the signature of another batch of the same key",
    )


def _chains() -> Iterator[Damage]:
    number = resigned(ORDINARY, batch_no=2)
    yield damage(Code.CHAIN, "number_left_out", number, "2 does not follow 0, whose hash it names")
    unknown = resigned(ORDINARY, prev_batch_hash=Hash(sha256(b"unknown").digest()))
    yield damage(Code.CHAIN, "previous_unknown", unknown, "it follows a batch that is not there")
    first_seq = resigned(ORDINARY, first_seq=3)
    boot_count = resigned(ORDINARY, boot_count=0)
    mono_ns = resigned(ORDINARY, mono_ns=MONO_NS)
    for name, made, why in (
        ("first_seq", first_seq, "the genesis has rows 0 and 1: the next is 2"),
        ("boot_count", boot_count, "boot_count falls from 1 to 0"),
        ("mono_ns", mono_ns, "mono_ns falls within one boot"),
    ):
        evidence = damage(Code.CHAIN, name, made, why)
        yield replace(evidence, is_evidence=True)


def _zstd() -> Iterator[Damage]:
    payload = ORDINARY.payload
    good = raw_zstd(payload)
    size = len(payload).to_bytes(4, "little")
    block = good[9:]

    def bodied(name: str, body: bytes, why: str) -> Damage:
        return damage(Code.ZSTD, name, replace(ORDINARY, body=body), why)

    magic = good[:4]
    yield bodied("none", payload, "the payload is not compressed")
    yield bodied("empty", b"", "there is no body: well framed, but not what was signed")
    yield bodied("two_frames", good + good, "a body is exactly one frame")
    yield bodied("byte_behind", good + b"\0", "nothing stands behind the frame")
    yield bodied("cut_off", good[:-1], "the last block is not whole")
    yield bodied("no_content_size", magic + b"\x00\x58" + block, "the content size must be there")
    yield bodied(
        "content_size",
        raw_zstd(payload, size=len(payload) + 1),
        "the content size is payload_len",
    )
    yield bodied("window", magic + b"\x80\x69" + size + block, "a window of 9 MiB is above 8 MiB")
    yield bodied("dictionary", magic + b"\xa1\x07" + size + block, "it asks for dictionary 7")
    skippable = bytes.fromhex("502a4d1800000000")
    yield bodied("skippable_frame", skippable + good, "nothing stands before the frame")
    changed = payload[:-5] + bytes([payload[-5] ^ 1]) + payload[-4:]
    yield damage(
        Code.PAYLOAD,
        "changed",
        replace(ORDINARY, body=raw_zstd(changed)),
        "one bit of the payload is flipped after it was signed",
    )


def _headstones() -> Iterator[Damage]:
    good = headstone_of(EVENTFUL)
    genesis = headstone_of(GENESIS)

    def stone(name: str, damaged: Headstone | bytes, why: str) -> Damage:
        body = damaged if isinstance(damaged, bytes) else damaged.pack()
        return damage(Code.HEADSTONE, name, headstone_frame(EVENTFUL, body), why)

    yield stone("cut_off", good.pack()[:-1], "the events are one byte short")
    yield stone("byte_behind", good.pack() + b"\0", "nothing stands behind the events")
    yield stone(
        "hash_changed",
        replace(good, hashes=(Hash(bytes(32)), *good.hashes[1:])),
        "it does not fold to record_root",
    )
    yield stone(
        "hash_missing",
        replace(good, hashes=good.hashes[:1]),
        "three scans and five events have subtrees of two scans and of one",
    )
    yield stone(
        "event_missing",
        replace(good, event_lines=good.event_lines[:-1]),
        "events are never given up",
    )
    yield stone("more_scans_than_rows", replace(good, scan_count=4), "three rows are three scans")
    yield stone("of_another_batch", genesis, "it folds to the root of another batch")
