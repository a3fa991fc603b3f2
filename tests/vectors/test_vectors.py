"""The committed vectors: they are what the script makes, and the product says of each what it says.

The page that defines the format shows the same bytes.
"""

import json
import re
from dataclasses import replace
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pytest
import zstandard

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
from tests.vectors.committed import BATCHES, HEADSTONES, vector
from tests.vectors.make import FOLDER, files


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
