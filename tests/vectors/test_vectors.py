"""The committed vectors: they are what the script makes, and the product says of each what it says.

The good ones are also checked by hand here: with struct, hashlib, pyarrow and cryptography, and
nothing of the product.
"""

import json
import re
import struct
from dataclasses import replace
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Final, TypeAlias
from uuid import UUID

import numpy as np
import pyarrow as pa
import pytest
import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from central_sync.model.arrow import rows_of_arrow
from edge_agent.wire.arrow import SCHEMA_MESSAGE
from edge_agent.wire.batch import check_content, open_body
from edge_agent.wire.bundle import parse_bundle
from edge_agent.wire.chain import link_fault, successor_fault
from edge_agent.wire.engineering import Scaling
from edge_agent.wire.events import check_events
from edge_agent.wire.frame import BatchFrame, FrameFlag, ReceiptFrame, frames
from edge_agent.wire.header import Header, batch_hash
from edge_agent.wire.headstone import open_headstone
from edge_agent.wire.receipt import BatchPlace, Receipt, verify_receipt
from edge_agent.wire.refusal import Code, RefusedError
from edge_agent.wire.signing import BATCH_CONTEXT, VerifyingKey
from tests.vectors.make import FOLDER, files

Vector: TypeAlias = dict[str, str | int]

BATCHES: Final = ("genesis", "ordinary", "eventful", "only_events")
HEADSTONES: Final = ("headstone", "headstone_without_events")


def vector(path: str) -> Vector:
    """Return a committed vector."""
    found: Vector = json.loads((FOLDER / path).read_text(encoding="utf-8"))
    return found


def verify(frame: bytes, key: VerifyingKey, genesis: bytes) -> None:
    """Refuse a frame as docs/wire-format.md sections 12 and 14 say, by the product's own code."""
    (found,) = frames(frame)
    if isinstance(found, ReceiptFrame):
        Receipt.unpack(found.receipt_bytes)
        return
    header = Header.unpack(found.header_bytes)
    if header.key_id != key.key_id:
        raise RefusedError(Code.KEY, "nobody enrolled it")
    key.verify(BATCH_CONTEXT, found.header_bytes, found.signature)
    previous = Header.unpack(genesis)
    follows_genesis = FrameFlag.HEADSTONE not in found.flags and not header.is_genesis
    fault = link_fault(previous, batch_hash(genesis), header) if follows_genesis else None
    if fault is not None:
        raise RefusedError(Code.CHAIN, fault)
    _verify_body(found, header)
    fault = successor_fault(previous, header) if follows_genesis else None
    if fault is not None:
        raise RefusedError(Code.CHAIN, fault)


def _verify_body(found: BatchFrame, header: Header) -> None:
    if FrameFlag.HEADSTONE in found.flags:
        check_events(open_headstone(header, found.body).event_lines, flags=header.flags)
        return
    parts = open_body(header, found.body)
    check_content(header, rows_of_arrow(parts.readings), parts.event_lines)


@pytest.fixture(scope="module")
def key() -> VerifyingKey:
    """Return the gateway's key."""
    keys = json.loads((FOLDER / "good/keys.json").read_text(encoding="utf-8"))
    return VerifyingKey(bytes.fromhex(keys["gateway"]["public_key"]))


@pytest.fixture(scope="module")
def genesis() -> bytes:
    """Return the header of the genesis."""
    return bytes.fromhex(str(vector("good/genesis.json")["header_bytes"]))


def test_the_committed_files_are_what_the_script_makes() -> None:
    committed = {
        path.relative_to(FOLDER): path.read_text(encoding="utf-8")
        for path in FOLDER.glob("*/*.json")
    }
    assert committed == files()


def test_every_code_has_a_damaged_vector() -> None:
    codes = {vector(f"damaged/{path.name}")["code"] for path in FOLDER.glob("damaged/*.json")}
    assert codes == set(Code)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("damaged/*.json")), ids=lambda path: path.stem)
def test_a_damaged_vector_gets_its_code(path: Path, key: VerifyingKey, genesis: bytes) -> None:
    damaged = vector(f"damaged/{path.name}")
    with pytest.raises(RefusedError) as refusal:
        verify(bytes.fromhex(str(damaged["frame"])), key, genesis)
    assert refusal.value.code == damaged["code"]
    assert path.stem.startswith(f"{damaged['code']}_")


def test_the_compressed_body_is_one_that_a_library_would_unpack() -> None:
    frame = bytes.fromhex(str(vector("damaged/arrow_compressed_body.json")["frame"]))
    payload = zstandard.decompress(frame[384:])
    (row,) = pa.ipc.open_stream(payload[4:-4]).read_all().to_pylist()
    assert (row["channel"], row["raw"]) == (1, 7)


@pytest.mark.parametrize("name", ["genesis", "ordinary", *HEADSTONES])
def test_a_good_vector_passes(name: str, key: VerifyingKey, genesis: bytes) -> None:
    verify(bytes.fromhex(str(vector(f"good/{name}.json")["frame"])), key, genesis)


def test_the_batches_are_one_chain(key: VerifyingKey) -> None:
    batches = [vector(f"good/{name}.json") for name in BATCHES]
    headers = [bytes.fromhex(str(batch["header_bytes"])) for batch in batches]
    for before, after in pairwise(headers):
        first, second = Header.unpack(before), Header.unpack(after)
        assert link_fault(first, batch_hash(before), second) is None
        assert successor_fault(first, second) is None
        assert second.key_id == key.key_id


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


def test_the_receipt_vouches_for_the_ordinary_batch() -> None:
    good, batch = vector("good/receipt.json"), vector("good/ordinary.json")
    keys = json.loads((FOLDER / "good/keys.json").read_text(encoding="utf-8"))["centre"]
    key = VerifyingKey(bytes.fromhex(keys["public_key"]))
    header = bytes.fromhex(str(batch["header_bytes"]))
    place = BatchPlace.of(Header.unpack(header), batch_hash(header))
    (frame,) = frames(bytes.fromhex(str(good["frame"])))
    assert isinstance(frame, ReceiptFrame)
    verify_receipt(Receipt.unpack(frame.receipt_bytes), key, place)
    assert good["batch_hash"] == batch["batch_hash"]


def test_the_bundle_is_the_one_that_the_batches_name() -> None:
    good = vector("good/bundle.json")
    text = str(good["text"]).encode()
    assert sha256(text).hexdigest() == good["config_hash"]
    assert parse_bundle(text).pack() == text
    header = json.loads((FOLDER / "good/genesis.json").read_text(encoding="utf-8"))["header"]
    assert header["config_hash"] == good["config_hash"]


@pytest.mark.parametrize("case", json.loads((FOLDER / "good/values.json").read_text())["cases"])
def test_a_raw_word_has_the_value_of_its_vector(case: dict[str, str | None]) -> None:
    bundle = vector("good/bundle.json")
    row = replace(
        parse_bundle(str(bundle["text"]).encode()).channels[0],
        raw_type=str(case["raw_type"]),
        word_order=str(case["word_order"]),
        scale=str(case["scale"]),
        offset=str(case["offset"]),
        resolution=str(case["resolution"]),
    )
    values, is_number = Scaling([row]).integers(np.array(int(str(case["raw"]))))
    expected = case["value"]
    assert (int(values), bool(is_number)) == (int(expected or 0), expected is not None)


# Leading hex of a line of a code block, before the words that explain it.
HEX_LINE: Final = re.compile(r"(?: {3})?((?:[0-9a-f]{2})+(?: (?:[0-9a-f]{2})+)*)(?: {2,}.*)?")


def blocks(title: str) -> list[list[str]]:
    """Return the lines of hex in each code block of a section of the page, without spaces."""
    page = (FOLDER.parent.parent / "docs/wire-format.md").read_text(encoding="utf-8")
    section = page.split(f"\n{title}")[1].split("\n## ")[0].split("\n### ")[0]
    found = [block.splitlines() for block in section.split("```")[1::2]]
    matches = [[HEX_LINE.fullmatch(line) for line in block] for block in found]
    return [[m[1].replace(" ", "") for m in block if m is not None] for block in matches]


def test_the_schema_message_of_the_page_is_the_one_that_is_written() -> None:
    (message,) = blocks("### 4.1 ")
    assert "".join(message) == SCHEMA_MESSAGE.hex()


def test_the_worked_example_of_the_page_is_the_genesis() -> None:
    genesis = (FOLDER / "good/genesis.json").read_text(encoding="utf-8")
    header, names, body, leaves = blocks("## 15. ")
    assert "".join(header) == json.loads(genesis)["header_bytes"]
    assert [len(names), len(body), len(leaves)] == [3, 17, 9]
    for line in names + body + leaves:
        assert line in genesis
