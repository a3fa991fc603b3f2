"""The good vectors: each batch with every field, leaf, hash and proof behind its signature."""

from collections.abc import Mapping
from typing import Final, TypeAlias

from edge_agent.wire.bundle import config_hash
from edge_agent.wire.frame import encode_receipt
from edge_agent.wire.headstone import Headstone, make_headstone
from edge_agent.wire.merkle import audit_path, event_leaf, scan_leaves
from edge_agent.wire.receipt import BatchPlace, sign_receipt
from edge_agent.wire.signing import SigningKey
from edge_agent.wire.vocabulary import Hash, Verdict
from tests.vectors.pieces import (
    AT_NS,
    BUNDLE,
    EVENTFUL,
    GENESIS,
    KEY,
    ONLY_EVENTS,
    ORDINARY,
    SECOND_NS,
    SEED,
    SERVER_KEY,
    SERVER_SEED,
    Made,
)

Json: TypeAlias = "str | int | bool | list[Json] | dict[str, Json] | None"
Document: TypeAlias = dict[str, Json]


def documents() -> Mapping[str, Document]:
    """Return the good vectors by name."""
    return {
        "keys": {
            "about": "The Ed25519 keys of all vectors; a seed is the private key of RFC 8032.",
            "gateway": _key(SEED, KEY),
            "centre": _key(SERVER_SEED, SERVER_KEY),
        },
        "bundle": {
            "about": "The configuration bundle that the batches name by config_hash.",
            "text": BUNDLE.decode(),
            "config_hash": config_hash(BUNDLE).hex(),
        },
        "genesis": _batch(GENESIS, "The first batch of a chain: one scan, three events."),
        "ordinary": _batch(
            ORDINARY,
            "The second batch: three scans, no events. Quality and raw use every bit; raw -2^63 "
            "has the highest bit alone.",
        ),
        "eventful": _batch(
            EVENTFUL,
            "The third batch: a gap that opens and closes, a loss (flag 2), a note with escapes "
            "and letters of 2, 3 and 4 bytes, a type that this version does not know.",
        ),
        "only_events": _batch(
            ONLY_EVENTS,
            "The fourth batch: no rows, so no Arrow stream; last before an orderly stop (flag 8).",
        ),
        "headstone": _headstone(EVENTFUL),
        "headstone_without_events": _headstone(ORDINARY),
        "receipt": _receipt(ORDINARY),
        "values": _values(),
    }


# raw_type, word_order, scale, offset, resolution, raw, value; None = there is no value.
_VALUES: Final = (
    ("uint16", "ABCD", "0.1", "0", "0.1", 1234, 1234),
    ("uint16", "BADC", "1", "0", "1", 0xD204, 1234),
    ("uint16", "ABCD", "0.1", "-40", "0.01", 655, 2550),
    ("int16", "ABCD", "0.5", "0", "1", 1, 1),
    ("int16", "ABCD", "0.5", "0", "1", 0xFFFF, -1),
    ("int16", "ABCD", "0.49", "0", "1", 1, 0),
    ("uint32", "CDAB", "1", "0", "1", 0x0002_0001, 0x0001_0002),
    ("int32", "ABCD", "1", "0", "1", 0xFFFF_FFFE, -2),
    ("int32", "BADC", "1", "0", "1", 0x0000_0100, 1),
    ("int32", "DCBA", "1", "0", "1", 0x0100_0000, 1),
    ("uint64", "CDAB", "1", "0", "1", 0x0001_0002_0003_0000, 0x0003_0002_0001),
    ("uint64", "ABCD", "0.0001", "0", "1", -1, 1_844_674_407_370_955),
    ("uint64", "ABCD", "1", "0", "1", -1, None),
    ("int64", "ABCD", "1", "0", "1", 2**53, 2**53),
    ("int64", "ABCD", "1", "0", "1", 2**53 + 1, None),
    ("float32", "CDAB", "1", "0", "0.1", 0x3333_40A3, 51),
    ("float32", "ABCD", "1", "0", "0.1", 0x3F80_0000, 10),
    ("float32", "ABCD", "1", "0", "1", 0xC020_0000, -3),
    ("float32", "ABCD", "1", "0", "1", 0x7FC0_0000, None),
    ("float32", "ABCD", "1", "0", "1", 0x7F80_0000, None),
    ("float64", "ABCD", "1", "0", "1", 0x3FDF_FFFF_FFFF_FFFF, 0),
    ("float64", "ABCD", "1", "0", "1", 0x3FE0_0000_0000_0000, 1),
    # The binary64 nearest to 1.005 is a little below it, and so is its value.
    ("float64", "ABCD", "1", "0", "0.01", 0x3FF0_147A_E147_AE14, 100),
    ("bit3", "", "5", "0", "1", 8, 5),
    ("bool", "", "1", "0", "1", 1, 1),
)


def _values() -> Document:
    names = ("raw_type", "word_order", "scale", "offset", "resolution", "raw", "value")
    return {
        "about": "What raw words say: (number x scale + offset) / resolution, exact, halves away "
        "from zero (docs/calculations.md section 3). value null: there is none.",
        "cases": [
            {name: None if one is None else str(one) for name, one in zip(names, case, strict=True)}
            for case in _VALUES
        ],
    }


def _key(seed: bytes, key: SigningKey) -> Json:
    return {
        "seed": seed.hex(),
        "public_key": key.public_bytes.hex(),
        "subject_public_key_info": key.verifying_key.spki.hex(),
        "key_id": key.key_id.hex(),
    }


_TEXTS: Final = ("gateway_id", "chain_id", "boot_id", "first_seq", "mono_ns", "wall_ns")
_NUMBERS: Final = (
    *("flags", "batch_no", "record_count", "boot_count", "wall_unc_ms", "clock_state"),
    "payload_len",
)
_HASHES: Final = (
    *("prev_batch_hash", "payload_sha256", "record_root", "config_hash", "software_hash"),
    "key_id",
)


def _header(batch: Made) -> Document:
    header = batch.header
    return {
        **{name: int(getattr(header, name)) for name in _NUMBERS},
        **{name: str(getattr(header, name)) for name in _TEXTS},
        **{name: getattr(header, name).hex() for name in _HASHES},
    }


def _signed(batch: Made) -> Document:
    return {
        "header": _header(batch),
        "header_bytes": batch.header_bytes.hex(),
        "signature": batch.signature.hex(),
        "batch_hash": batch.batch_hash.hex(),
    }


def _leaves(batch: Made) -> tuple[list[Hash], list[Hash]]:
    return scan_leaves(batch.rows), [event_leaf(line) for line in batch.lines]


def _batch(batch: Made, about: str) -> Document:
    scans, events = _leaves(batch)
    leaves = scans + events
    readings_length = int.from_bytes(batch.payload[:4], "little")
    return {
        "about": about,
        "frame": batch.frame.hex(),
        "frame_flags": int(batch.flags),
        **_signed(batch),
        "payload": batch.payload.hex(),
        "readings": batch.payload[4 : 4 + readings_length].hex(),
        "rows": [
            {
                "scan": int(row["scan"]),
                "channel": int(row["channel"]),
                "at": str(row["at"]),
                "mono": str(row["mono"]),
                "raw": str(row["raw"]),
                "status": int(row["status"]),
                "quality": int(row["quality"]),
            }
            for row in batch.rows
        ],
        "event_lines": [line.decode() for line in batch.lines],
        "leaves": [
            {
                "of": f"scan {index}" if index < len(scans) else f"event {index - len(scans)}",
                "hashed": _hashed(batch, index, len(scans)).hex(),
                "leaf": leaf.hex(),
                "audit_path": [node.hex() for node in audit_path(leaves, index)],
            }
            for index, leaf in enumerate(leaves)
        ],
    }


def _hashed(batch: Made, index: int, scan_count: int) -> bytes:
    if index < scan_count:
        packed: bytes = batch.rows[batch.rows["scan"] == index].tobytes()
        return b"\x00" + packed
    return b"\x00" + batch.lines[index - scan_count]


def headstone_of(batch: Made) -> Headstone:
    """Return what is left when the readings of a batch are given up."""
    return make_headstone(batch.rows, batch.lines)


def headstone_frame(batch: Made, body: bytes) -> bytes:
    """Return the frame of a batch whose readings were given up."""
    content = (1).to_bytes(4, "little") + batch.header_bytes + batch.signature + body
    return len(content).to_bytes(4, "little") + content


def _headstone(batch: Made) -> Document:
    stone = headstone_of(batch)
    return {
        "about": "A batch whose readings were given up: header and signature as they were, the "
        "scans shrunk to the roots of their largest subtrees.",
        "frame": headstone_frame(batch, stone.pack()).hex(),
        "frame_flags": 1,
        **_signed(batch),
        "body": stone.pack().hex(),
        "scan_count": stone.scan_count,
        "hashes": [node.hex() for node in stone.hashes],
        "event_lines": [line.decode() for line in stone.event_lines],
    }


def _receipt(batch: Made) -> Document:
    receipt = sign_receipt(
        SERVER_KEY,
        BatchPlace.of(batch.header, batch.batch_hash),
        verdict=Verdict.ACCEPTED,
        received_ns=AT_NS + 60 * SECOND_NS,
    )
    return {
        "about": "The receipt for the ordinary batch, under the key of the centre.",
        "frame": encode_receipt(receipt.pack()).hex(),
        "frame_flags": 2,
        "receipt": receipt.pack().hex(),
        "server_key_id": receipt.server_key_id.hex(),
        "gateway_id": str(receipt.gateway_id),
        "chain_id": str(receipt.chain_id),
        "batch_no": receipt.batch_no,
        "batch_hash": receipt.batch_hash.hex(),
        "log_index": str(receipt.log_index),
        "received_ns": str(receipt.received_ns),
        "verdict": int(receipt.verdict),
        "signed_bytes": receipt.signed_bytes.hex(),
        "signature": receipt.signature.hex(),
    }
