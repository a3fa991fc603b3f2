"""Reading the centre's answer: strict, whole or not at all, never an error."""

from __future__ import annotations

import json
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.uplink.answer import LARGEST_LIST, Place, Refusal, Wanted, parse_answer
from edge_agent.wire.vocabulary import Hash

CHAIN = UUID(int=5)
HASH = "ab" * 32
GOOD: dict[str, object] = {
    "receipts": ["AAEC"],
    "head": {"chain": str(CHAIN), "batch_no": 4, "batch_hash": HASH},
    "wanted": [{"chain": str(CHAIN), "batch_no": 3, "batch_hash": HASH}],
    "wanted_bundles": [HASH],
    "error": {
        "code": "gap",
        "frame": 2,
        "detail": "x",
        "expected": {"chain": str(CHAIN), "batch_no": 3},
    },
}


def test_every_field_is_read() -> None:
    answer = parse_answer(409, json.dumps(GOOD).encode())
    place = Place(chain_id=CHAIN, batch_no=3)
    digest = Hash(bytes.fromhex(HASH))
    assert answer.is_readable
    assert answer.receipts == (b"\x00\x01\x02",)
    assert answer.wanted == (Wanted(place=place, batch_hash=digest),)
    assert answer.wanted_bundles == (digest,)
    assert answer.refusal == Refusal(code="gap", frame=2, expected=place)


def test_missing_lists_are_empty_and_unknown_fields_are_ignored() -> None:
    answer = parse_answer(200, b'{"error": null, "news": 1}')
    assert answer.is_readable
    assert (answer.receipts, answer.wanted, answer.wanted_bundles, answer.refusal) == (
        (),
        (),
        (),
        None,
    )


BAD: dict[str, dict[str, object]] = {
    "receipts not a list": {"receipts": "AAEC"},
    "receipt not base64": {"receipts": ["!"]},
    "receipt not text": {"receipts": [1]},
    "too many receipts": {"receipts": ["AAEC"] * (LARGEST_LIST + 1)},
    "wanted not an object": {"wanted": [HASH]},
    "wanted without a hash": {"wanted": [{"chain": str(CHAIN), "batch_no": 3}]},
    "chain not a UUID": {"wanted": [{"chain": "x", "batch_no": 3, "batch_hash": HASH}]},
    "number negative": {"wanted": [{"chain": str(CHAIN), "batch_no": -1, "batch_hash": HASH}]},
    "number too large": {"wanted": [{"chain": str(CHAIN), "batch_no": 2**63, "batch_hash": HASH}]},
    "number a truth": {"wanted": [{"chain": str(CHAIN), "batch_no": True, "batch_hash": HASH}]},
    "number a fraction": {"wanted": [{"chain": str(CHAIN), "batch_no": 3.0, "batch_hash": HASH}]},
    "hash too short": {"wanted_bundles": ["ab"]},
    "hash not hexadecimal": {"wanted_bundles": ["zz" * 32]},
    "error not an object": {"error": "gap"},
    "error without a code": {"error": {"frame": 1}},
    "expected without a chain": {"error": {"code": "gap", "expected": {"batch_no": 3}}},
}


@pytest.mark.parametrize("change", BAD.values(), ids=BAD.keys())
def test_one_bad_field_makes_the_whole_answer_unreadable(change: dict[str, object]) -> None:
    answer = parse_answer(200, json.dumps({**GOOD, **change}).encode())
    assert not answer.is_readable
    assert (answer.status, answer.receipts) == (200, ())


@given(body=st.binary(max_size=200))
def test_any_bytes_are_an_answer_or_none(body: bytes) -> None:
    assert parse_answer(503, body).status == 503


def test_nesting_without_end_is_no_answer() -> None:
    assert not parse_answer(200, b"[" * 1_000_000).is_readable
