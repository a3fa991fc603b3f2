"""The good vectors, checked by hand: with struct, hashlib, pyarrow and cryptography.

Nothing of the product takes part in a check.
"""

import json
import struct
from hashlib import sha256
from typing import Final
from uuid import UUID

import pyarrow as pa
import pytest
import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tests.vectors.committed import BATCHES, HEADSTONES
from tests.vectors.make import FOLDER

# Offset and layout of each header field (docs/wire-format.md section 2).
LAYOUT: Final = {
    "flags": (14, "<H"),
    "batch_no": (48, "<Q"),
    "first_seq": (56, "<Q"),
    "record_count": (64, "<I"),
    "boot_count": (68, "<I"),
    "mono_ns": (88, "<q"),
    "wall_ns": (96, "<q"),
    "wall_unc_ms": (104, "<I"),
    "clock_state": (108, "<H"),
    "payload_len": (112, "<Q"),
}
IDS: Final = {"gateway_id": 16, "chain_id": 32, "boot_id": 72}
HASHES: Final = {
    "prev_batch_hash": 120,
    "payload_sha256": 152,
    "record_root": 184,
    "config_hash": 216,
    "software_hash": 248,
    "key_id": 280,
}


@pytest.mark.parametrize("name", [*BATCHES, *HEADSTONES])
def test_header_and_signature_of_a_good_vector_hold_without_the_product(name: str) -> None:
    good = json.loads((FOLDER / f"good/{name}.json").read_text(encoding="utf-8"))
    keys = json.loads((FOLDER / "good/keys.json").read_text(encoding="utf-8"))["gateway"]
    header = bytes.fromhex(good["header_bytes"])
    fields = {key: str(struct.unpack_from(how, header, at)[0]) for key, (at, how) in LAYOUT.items()}
    fields |= {key: str(UUID(bytes=header[at : at + 16])) for key, at in IDS.items()}
    fields |= {key: header[at : at + 32].hex() for key, at in HASHES.items()}
    assert fields == {key: str(value) for key, value in good["header"].items()}
    assert header[:14].hex() == b"EWBATCH1".hex() + "3801" + "01" + "01" + "0100"
    assert header[110:112] == b"\0\0"
    assert sha256(b"\x02" + header).hexdigest() == good["batch_hash"]
    spki = bytes.fromhex(keys["subject_public_key_info"])
    assert sha256(spki).hexdigest() == keys["key_id"] == good["header"]["key_id"]
    assert spki[12:].hex() == keys["public_key"]
    Ed25519PublicKey.from_public_bytes(spki[12:]).verify(
        bytes.fromhex(good["signature"]), b"EmissionWatch batch signature v1\0" + header
    )
    frame = bytes.fromhex(good["frame"])
    assert struct.unpack_from("<II", frame) == (len(frame) - 4, good["frame_flags"])
    assert frame[8:384] == header + bytes.fromhex(good["signature"])


@pytest.mark.parametrize("name", BATCHES)
def test_the_body_of_a_good_vector_holds_without_the_product(name: str) -> None:
    good = json.loads((FOLDER / f"good/{name}.json").read_text(encoding="utf-8"))
    payload = zstandard.decompress(bytes.fromhex(good["frame"])[384:])
    assert payload.hex() == good["payload"]
    assert sha256(payload).hexdigest() == good["header"]["payload_sha256"]
    readings = bytes.fromhex(good["readings"])
    events = b"".join(line.encode() + b"\n" for line in good["event_lines"])
    assert payload == (
        struct.pack("<I", len(readings)) + readings + struct.pack("<I", len(events)) + events
    )
    rows = pa.ipc.open_stream(readings).read_all().to_pylist() if readings else []
    assert [{key: str(value) for key, value in row.items()} for row in rows] == [
        {key: str(value) for key, value in row.items()} for row in good["rows"]
    ]
    packed: dict[str, bytes] = {}
    for row in rows:
        leaf = f"scan {row['scan']}"
        packed[leaf] = packed.get(leaf, b"\0") + struct.pack("<IIqqqII", *row.values())
    packed |= {f"event {n}": b"\0" + line.encode() for n, line in enumerate(good["event_lines"])}
    assert [leaf["of"] for leaf in good["leaves"]] == list(packed)
    assert [leaf["hashed"] for leaf in good["leaves"]] == [one.hex() for one in packed.values()]
    for leaf in good["leaves"]:
        assert sha256(bytes.fromhex(leaf["hashed"])).hexdigest() == leaf["leaf"]
    assert _root([leaf["leaf"] for leaf in good["leaves"]]) == good["header"]["record_root"]


def _root(leaves: list[str]) -> str:
    """Return the tree hash of RFC 6962 section 2.1 over leaves, all in hex."""
    if len(leaves) == 1:
        return leaves[0]
    at = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\x01" + bytes.fromhex(_root(leaves[:at]) + _root(leaves[at:]))).hexdigest()


@pytest.mark.parametrize("name", BATCHES)
def test_every_proof_of_a_good_vector_leads_to_its_root(name: str) -> None:
    good = json.loads((FOLDER / f"good/{name}.json").read_text(encoding="utf-8"))
    count = len(good["leaves"])
    for index, leaf in enumerate(good["leaves"]):
        node = _climb(index, count, leaf["leaf"], list(leaf["audit_path"]))
        assert node == good["header"]["record_root"]


def _climb(index: int, count: int, node: str, path: list[str]) -> str:
    """Return the root of PATH of RFC 6962 section 2.1.1, which ends with the uppermost sibling."""
    if count == 1:
        assert path == []
        return node
    at = 1 << (count - 1).bit_length() - 1
    sibling = path.pop()
    if index < at:
        pair = _climb(index, at, node, path) + sibling
    else:
        pair = sibling + _climb(index - at, count - at, node, path)
    return sha256(b"\x01" + bytes.fromhex(pair)).hexdigest()
