"""What the vectors are made of: fixed keys and identities, and ways to break a batch again.

Nothing here is random and nothing depends on the version of a library: payloads stand in zstd raw
blocks, made by hand.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final, Unpack
from uuid import UUID

import numpy as np

from edge_agent.wire.arrow import arrow_stream
from edge_agent.wire.batch import record_root
from edge_agent.wire.bundle import ChannelRow, bundle_bytes, config_hash
from edge_agent.wire.canonical import JsonValue
from edge_agent.wire.events import Event
from edge_agent.wire.frame import BatchFrame, FrameFlag, encode_batch
from edge_agent.wire.header import Header, batch_hash
from edge_agent.wire.payload import join
from edge_agent.wire.readings import ROW, RowArray
from edge_agent.wire.signing import BATCH_CONTEXT, SigningKey
from edge_agent.wire.vocabulary import NO_HASH, BatchFlag, ClockState, Hash
from tests.header_fields import HeaderFields

SEED: Final = bytes(range(32))
SERVER_SEED: Final = bytes(range(32, 64))
KEY: Final = SigningKey.from_seed(SEED)
SERVER_KEY: Final = SigningKey.from_seed(SERVER_SEED)

GATEWAY: Final = UUID("6f1d2a44-9f0b-4c6e-8a59-0d5b7c3e1f20")
CHAIN: Final = UUID("0b7c1a52-3f64-4d0e-9a71-5e2d8c4b6a90")
BOOT: Final = UUID("c0ffee00-1234-4abc-8def-0123456789ab")
# 2026-11-18 12:26:40 UTC.
AT_NS: Final = 1_795_004_800_000_000_000
MONO_NS: Final = 86_400_000_000_000
SECOND_NS: Final = 1_000_000_000

_PROFILE_HASH: Final = sha256(b"any profile").hexdigest()
BUNDLE: Final = bundle_bytes(
    simulated=False,
    channels=[
        ChannelRow(
            channel=number,
            name=name,
            facility="6138",
            device="analyzer",
            parameter=parameter,
            unit_of_measure=unit_of_measure,
            raw_type=raw_type,
            word_order=word_order,
            scale=scale,
            offset="0",
            resolution="0.1",
            status_source="input 10",
            profile="maker/model",
            profile_hash=_PROFILE_HASH,
        )
        for number, name, parameter, unit_of_measure, raw_type, word_order, scale in (
            (1, "NOx", "nox", "ppm", "uint16", "ABCD", "0.1"),
            (2, "O₂", "o2", "pct", "float32", "CDAB", "1"),
        )
    ],
    judging={"channel_1": {"low": "0", "high": "500"}},
    agent={"commit_interval_s": "10"},
    profiles={"maker__model": _PROFILE_HASH},
)


def event(kind: str, *, second: int = 0, **fields: JsonValue) -> Event:
    """Return an event so many seconds after the first."""
    return Event(
        type=kind,
        at_ns=AT_NS + second * SECOND_NS,
        mono_ns=MONO_NS + second * SECOND_NS,
        fields=fields,
    )


def rows(*readings: tuple[int, int, int, int, int]) -> RowArray:
    """Return rows of (scan, channel, raw, status, quality); one scan a second."""
    return np.array(
        [
            (scan, channel, AT_NS + scan * SECOND_NS, MONO_NS + scan * SECOND_NS, *rest)
            for scan, channel, *rest in readings
        ],
        dtype=ROW,
    )


def raw_zstd(payload: bytes, *, size: int | None = None, descriptor: int = 0xA0) -> bytes:
    """Return a zstd frame of raw blocks of at most 128 KiB (RFC 8878 section 3.1.1).

    Args:
        payload: what it holds.
        size: the content size it claims, if not the true one.
        descriptor: 0xA0 = a single segment, content size in 4 bytes, no checksum, no dictionary.

    """
    blocks = [payload[at : at + 131_072] for at in range(0, len(payload), 131_072)]
    framed = b"".join(
        (len(block) << 3 | (index == len(blocks) - 1)).to_bytes(3, "little") + block
        for index, block in enumerate(blocks)
    )
    claimed = (len(payload) if size is None else size).to_bytes(4, "little")
    return bytes.fromhex("28b52ffd") + bytes([descriptor]) + claimed + framed


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A batch with everything it was made of, signed."""

    header: Header
    header_bytes: bytes
    signature: bytes
    payload: bytes
    body: bytes
    rows: RowArray
    lines: tuple[bytes, ...]
    flags: FrameFlag = FrameFlag(0)  # noqa: RUF009 - an immutable number

    @property
    def batch_hash(self) -> Hash:
        """The name of the batch."""
        return batch_hash(self.header_bytes)

    @property
    def frame(self) -> bytes:
        """The frame it is sent in."""
        return encode_batch(
            BatchFrame(
                flags=self.flags,
                header_bytes=self.header_bytes,
                signature=self.signature,
                body=self.body,
            )
        )


def made(
    some_rows: RowArray,
    events: Sequence[Event | bytes] = (),
    *,
    after: Made | None = None,
    flags: BatchFlag = BatchFlag(0),  # noqa: B008 - an immutable number
) -> Made:
    """Return a batch of these rows and events; after None, the genesis."""
    lines = tuple(one if isinstance(one, bytes) else one.line for one in events)
    if after is None:
        flags |= BatchFlag.GENESIS
    batch_no = 0 if after is None else after.header.batch_no + 1
    payload = join(arrow_stream(some_rows), lines)
    header = Header(
        flags=flags,
        gateway_id=GATEWAY,
        chain_id=CHAIN,
        batch_no=batch_no,
        first_seq=0 if after is None else after.header.next_seq,
        record_count=len(some_rows),
        boot_count=1,
        boot_id=BOOT,
        mono_ns=MONO_NS + (batch_no + 1) * 10 * SECOND_NS,
        wall_ns=AT_NS + (batch_no + 1) * 10 * SECOND_NS,
        wall_unc_ms=12,
        clock_state=ClockState.NTP,
        payload_len=len(payload),
        prev_batch_hash=NO_HASH if after is None else after.batch_hash,
        payload_sha256=Hash(sha256(payload).digest()),
        record_root=record_root(some_rows, lines),
        config_hash=config_hash(BUNDLE),
        software_hash=NO_HASH,
        key_id=KEY.key_id,
    )
    header_bytes = header.pack()
    return Made(
        header=header,
        header_bytes=header_bytes,
        signature=KEY.sign(BATCH_CONTEXT, header_bytes),
        payload=payload,
        body=raw_zstd(payload),
        rows=some_rows,
        lines=lines,
    )


def resigned(good: Made, **changes: Unpack[HeaderFields]) -> Made:
    """Return the batch with other header fields, signed anew."""
    header = replace(good.header, **changes)
    return with_header_bytes(replace(good, header=header), header.pack())


def with_header_bytes(good: Made, header_bytes: bytes) -> Made:
    """Return the batch with these header bytes, signed anew, whatever they say."""
    signature = KEY.sign(BATCH_CONTEXT, header_bytes)
    return replace(good, header_bytes=header_bytes, signature=signature)


def with_payload(good: Made, payload: bytes) -> Made:
    """Return the batch with another payload that its header, signed anew, vouches for."""
    changed = resigned(
        good, payload_len=len(payload), payload_sha256=Hash(sha256(payload).digest())
    )
    return replace(changed, payload=payload, body=raw_zstd(payload))


def with_parts(good: Made, readings: bytes, lines: Sequence[bytes]) -> Made:
    """Return the batch with other readings and lines that its header, signed anew, vouches for."""
    return with_payload(good, join(readings, lines))


# The chain of the vectors: a genesis, an ordinary batch, one that tells much, one of events alone.
GENESIS: Final = made(
    rows((0, 1, 1234, 0, 0x8000_0000), (0, 2, 0x3333_40A3, 0, 0x8000_0000)),
    [
        event("continue", reason="enrol", previous=None),
        event("config_applied", config_hash=config_hash(BUNDLE).hex()),
        event(
            "boot",
            boot_count=1,
            clean=True,
            software="0.1.0",
            hardware={"soc_serial": "10000000a3b1c2d4", "mac": "dc:a6:32:00:00:01"},
        ),
    ],
)
ORDINARY: Final = made(
    rows(
        (0, 1, 1240, 0, 0x8000_0000),
        (0, 2, 0x3333_40A3, 0, 0x8000_0000),
        (1, 1, 65_535, 1, 0x8001_0204),
        (1, 2, 0, 1, 0x8010_000C),
        (2, 2, -(2**63), 0xFFFF_FFFF, 0xFFFF_FFFF),
    ),
    after=GENESIS,
)
EVENTFUL: Final = made(
    rows((0, 1, 1238, 0, 0x8000_1000), (1, 1, 1239, 0, 0x8000_0000), (2, 1, 1240, 0, 0x8000_0000)),
    [
        event(
            "gap",
            second=11,
            state="open",
            channels=[2],
            from_ns=str(AT_NS + 10 * SECOND_NS),
            to_ns=None,
            missed=1,
            reason="no_answer",
        ),
        event(
            "gap",
            second=15,
            state="closed",
            channels=[2],
            from_ns=str(AT_NS + 10 * SECOND_NS),
            to_ns=str(AT_NS + 15 * SECOND_NS),
            missed=5,
            reason="no_answer",
        ),
        event(
            "loss",
            second=16,
            chain=str(CHAIN),
            first_batch=1,
            last_batch=1,
            first_seq=2,
            last_seq=6,
            channels=[],
            from_ns=AT_NS,
            to_ns=AT_NS + 2 * SECOND_NS,
            reason="storage_full",
        ),
        event(
            "note", second=17, who="J. Müller", text='probe "A"\tcleaned\n5 °C \u20ac \U0001f32b'
        ),
        event("tea_time", second=18, cups=3, sugar=None, of=["assam", {"leaves": True}]),
    ],
    after=ORDINARY,
    flags=BatchFlag.LOSS,
)
ONLY_EVENTS: Final = made(
    rows(),
    [event("note", second=25, who="agent", text="nothing was due")],
    after=EVENTFUL,
    flags=BatchFlag.LAST_BEFORE_STOP,
)
