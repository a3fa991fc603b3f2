"""The header: 312 bytes there and back, and each of its rules broken once."""

import struct
from hashlib import sha256
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.wire.header import HEADER_SIZE, MAX_PAYLOAD, Header, batch_hash
from edge_agent.wire.refusal import Code
from edge_agent.wire.vocabulary import NO_HASH, UNKNOWN_ERROR_MS, BatchFlag, ClockState, Hash
from tests.edge_agent.wire.samples import GOOD_HEADER, HASH, header, refused, unless_refused
from tests.header_fields import HeaderFields

GENESIS: HeaderFields = {
    "flags": BatchFlag.GENESIS,
    "batch_no": 0,
    "first_seq": 0,
    "prev_batch_hash": NO_HASH,
}
UNTRUSTED: HeaderFields = {"flags": BatchFlag.CLOCK_UNTRUSTED, "wall_unc_ms": UNKNOWN_ERROR_MS}

HASHES = st.binary(min_size=32, max_size=32).filter(any).map(Hash)
IDS = st.uuids()


@st.composite
def headers(draw: st.DrawFn) -> Header:
    """Return any header that may exist."""
    is_genesis = draw(st.booleans())
    flags = draw(st.sampled_from([BatchFlag(0), BatchFlag.LOSS, BatchFlag.LAST_BEFORE_STOP]))
    unc_ms = draw(st.integers(0, UNKNOWN_ERROR_MS))
    if unc_ms == UNKNOWN_ERROR_MS:
        flags |= BatchFlag.CLOCK_UNTRUSTED
    states = list(ClockState) if unc_ms == UNKNOWN_ERROR_MS else list(ClockState)[1:]
    return Header(
        flags=flags | BatchFlag.GENESIS if is_genesis else flags,
        gateway_id=draw(IDS),
        chain_id=draw(IDS),
        batch_no=0 if is_genesis else draw(st.integers(1, 2**63 - 1)),
        first_seq=0 if is_genesis else draw(st.integers(0, 2**64 - 1)),
        record_count=draw(st.integers(0, 65_536)),
        boot_count=draw(st.integers(0, 2**32 - 1)),
        boot_id=draw(IDS),
        mono_ns=draw(st.integers(0, 2**63 - 1)),
        wall_ns=draw(st.integers(-(2**63), 2**63 - 1)),
        wall_unc_ms=unc_ms,
        clock_state=draw(st.sampled_from(states)),
        payload_len=draw(st.integers(9, 4_194_304)),
        prev_batch_hash=NO_HASH if is_genesis else draw(HASHES),
        payload_sha256=draw(HASHES),
        record_root=draw(HASHES),
        config_hash=draw(HASHES),
        software_hash=draw(HASHES),
        key_id=draw(HASHES),
    )


@given(one=headers())
def test_a_header_survives_its_bytes(one: Header) -> None:
    packed = one.pack()
    assert len(packed) == HEADER_SIZE
    assert Header.unpack(packed) == one


@given(one=headers(), place=st.integers(0, 311), flip=st.integers(1, 255))
def test_bytes_are_refused_or_come_back_the_same(one: Header, place: int, flip: int) -> None:
    damaged = bytearray(one.pack())
    damaged[place] ^= flip
    found = unless_refused(Code.HEADER, lambda: Header.unpack(bytes(damaged)))
    assert found is None or found.pack() == bytes(damaged)


def test_every_field_stands_at_its_offset() -> None:
    """docs/wire-format.md section 2."""
    packed = GOOD_HEADER.pack()
    at = struct.Struct
    assert packed[:8] == b"EWBATCH1"
    assert at("<HBBHH").unpack_from(packed, 8) == (312, 1, 1, 1, 0)
    assert UUID(bytes=packed[16:32]) == GOOD_HEADER.gateway_id
    assert UUID(bytes=packed[32:48]) == GOOD_HEADER.chain_id
    assert at("<QQII").unpack_from(packed, 48) == (7, 70, 6, 3)
    assert UUID(bytes=packed[72:88]) == GOOD_HEADER.boot_id
    assert at("<qqIHHQ").unpack_from(packed, 88) == (
        5_000_000_000,
        GOOD_HEADER.wall_ns,
        12,
        1,
        0,
        1_000,
    )
    assert packed[120:152] == GOOD_HEADER.prev_batch_hash
    assert packed[280:312] == GOOD_HEADER.key_id


def test_the_name_of_a_batch_is_the_hash_of_its_header() -> None:
    packed = GOOD_HEADER.pack()
    assert batch_hash(packed) == sha256(b"\x02" + packed).digest()


def test_a_header_knows_where_the_next_batch_begins() -> None:
    assert GOOD_HEADER.next_seq == 76
    assert not GOOD_HEADER.is_genesis
    assert header(**GENESIS).is_genesis


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(GENESIS, id="genesis"),
        pytest.param({"batch_no": 2**63 - 1}, id="highest number"),
        pytest.param({"first_seq": 0}, id="first_seq 0 behind batches of events"),
        pytest.param({"record_count": 0}, id="no rows"),
        pytest.param({"record_count": 65_536}, id="most rows"),
        pytest.param({"mono_ns": 0}, id="at boot"),
        pytest.param({"wall_ns": -1}, id="before 1970"),
        pytest.param(UNTRUSTED, id="error unknown"),
        pytest.param(UNTRUSTED | {"clock_state": ClockState.UNSET}, id="clock unset"),
        pytest.param({"payload_len": 9}, id="smallest payload"),
        pytest.param({"payload_len": MAX_PAYLOAD}, id="largest payload"),
        pytest.param({"software_hash": NO_HASH}, id="development build"),
    ],
)
def test_values_on_the_good_side_of_every_limit_pass(changes: HeaderFields) -> None:
    assert Header.unpack(header(**changes).pack()) == header(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"batch_no": 0}, id="number 0 outside a genesis"),
        pytest.param(GENESIS | {"batch_no": 1}, id="genesis with a number"),
        pytest.param({"batch_no": 2**63}, id="number of 2^63"),
        pytest.param({"batch_no": -1}, id="number below 0"),
        pytest.param(GENESIS | {"prev_batch_hash": HASH}, id="genesis behind a batch"),
        pytest.param({"prev_batch_hash": NO_HASH}, id="behind no batch"),
        pytest.param(GENESIS | {"first_seq": 1}, id="genesis with first_seq"),
        pytest.param({"record_count": 65_537}, id="too many rows"),
        pytest.param({"record_count": -1}, id="fewer rows than none"),
        pytest.param({"mono_ns": -1}, id="before boot"),
        pytest.param({"wall_unc_ms": UNKNOWN_ERROR_MS}, id="unknown error without flag 4"),
        pytest.param({"flags": BatchFlag.CLOCK_UNTRUSTED}, id="flag 4 with a known error"),
        pytest.param({"clock_state": ClockState.UNSET}, id="clock unset with a known error"),
        pytest.param({"payload_len": 8}, id="payload too small"),
        pytest.param({"payload_len": MAX_PAYLOAD + 1}, id="payload too large"),
        pytest.param({"record_root": HASH[:31]}, id="a short hash"),
    ],
)
def test_values_on_the_bad_side_of_every_limit_are_refused(changes: HeaderFields) -> None:
    with refused(Code.HEADER):
        header(**changes)


@pytest.mark.parametrize(
    ("offset", "layout", "value"),
    [
        pytest.param(0, "<8s", b"EWBATCH2", id="magic"),
        pytest.param(8, "<H", 311, id="header_len"),
        pytest.param(10, "<B", 0, id="sig_alg 0"),
        pytest.param(10, "<B", 2, id="sig_alg reserved"),
        pytest.param(11, "<B", 2, id="hash_alg"),
        pytest.param(12, "<H", 2, id="payload_fmt"),
        pytest.param(14, "<H", 16, id="an unknown flag"),
        pytest.param(14, "<H", 0x8000, id="the highest flag"),
        pytest.param(48, "<Q", 2**63, id="batch_no of 2^63"),
        pytest.param(88, "<q", -1, id="mono_ns"),
        pytest.param(108, "<H", 6, id="clock_state"),
        pytest.param(110, "<H", 1, id="reserved"),
    ],
)
def test_bytes_that_break_a_rule_are_refused(offset: int, layout: str, value: object) -> None:
    damaged = bytearray(GOOD_HEADER.pack())
    struct.pack_into(layout, damaged, offset, value)
    with refused(Code.HEADER):
        Header.unpack(bytes(damaged))


@pytest.mark.parametrize("size", [0, 311, 313])
def test_another_length_is_refused(size: int) -> None:
    with refused(Code.HEADER):
        Header.unpack(GOOD_HEADER.pack().ljust(size, b"\0")[:size])
