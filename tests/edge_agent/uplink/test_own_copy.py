"""Whether a batch on disk is still what was signed: every byte of it counts."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.uplink.own_copy import is_intact
from edge_agent.wire.batch import Origin, Position, Stamp, seal
from edge_agent.wire.events import Event
from edge_agent.wire.frame import BatchFrame, FrameFlag
from edge_agent.wire.readings import ROW
from edge_agent.wire.signing import SigningKey
from edge_agent.wire.vocabulary import NO_HASH, BatchFlag, ClockState, Hash

KEY = SigningKey.from_seed(b"k" * 32)
CONTINUE = Event(type="continue", at_ns=1, mono_ns=1, fields={"reason": "enrol", "previous": None})
BATCH = seal(
    np.zeros(0, dtype=ROW),
    [CONTINUE.line],
    position=Position.genesis(UUID(int=1)),
    stamp=Stamp(
        boot_count=1,
        boot_id=UUID(int=2),
        mono_ns=1,
        wall_ns=1,
        wall_unc_ms=1,
        clock_state=ClockState.NTP,
    ),
    origin=Origin(gateway_id=UUID(int=3), config_hash=NO_HASH, software_hash=NO_HASH, key=KEY),
    flags=BatchFlag(0),
)
FRAME = BatchFrame(
    flags=FrameFlag(0),
    header_bytes=BATCH.header_bytes,
    signature=BATCH.signature,
    body=BATCH.body,
)


def test_what_was_sealed_is_intact() -> None:
    assert is_intact(FRAME, BATCH.batch_hash, KEY.verifying_key)


@given(st.data())
def test_any_flipped_bit_is_found(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["header_bytes", "signature"]))
    original: bytes = getattr(FRAME, name)
    flipped = bytearray(original)
    flipped[data.draw(st.integers(0, len(original) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    if name == "header_bytes":
        damaged = replace(FRAME, header_bytes=bytes(flipped))
    else:
        damaged = replace(FRAME, signature=bytes(flipped))
    assert not is_intact(damaged, BATCH.batch_hash, KEY.verifying_key)


@pytest.mark.parametrize("body", [b"", BATCH.body[:-1], b"\x00" * len(BATCH.body)])
def test_a_damaged_body_is_found(body: bytes) -> None:
    assert not is_intact(replace(FRAME, body=body), BATCH.batch_hash, KEY.verifying_key)


def test_another_batch_in_its_place_is_found() -> None:
    assert not is_intact(FRAME, Hash(b"x" * 32), KEY.verifying_key)


def test_a_batch_of_an_earlier_key_is_judged_by_its_bytes_alone() -> None:
    later = SigningKey.from_seed(b"l" * 32)
    assert is_intact(FRAME, BATCH.batch_hash, later.verifying_key)
