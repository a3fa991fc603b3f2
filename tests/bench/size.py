"""Bytes per reading of a batch, header and signature included, at the noise of real analyzers.

60 channels on 6 devices at 1 s, one time stamp a scan. The register data are a 12-bit converter
over twice the mean of a slow process with AR(1) noise of 0.4 %; float32 is the same, unrounded.
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import numpy as np
import numpy.typing as npt
import zstandard

from edge_agent.uplink.exchange import JOINT_LEVEL
from edge_agent.uplink.joining import joined
from edge_agent.wire.batch import Origin, Position, SignedBatch, Stamp, seal
from edge_agent.wire.frame import BatchFrame, FrameFlag, encode_batch
from edge_agent.wire.readings import Readings, rows_of
from edge_agent.wire.signing import SigningKey
from edge_agent.wire.vocabulary import UNKNOWN_ERROR_MS, BatchFlag, ClockState, Hash, Reason
from tests.bench.figure import Figure

DEVICES, CHANNELS = 6, 10
TAGS: Final = DEVICES * CHANNELS
SECONDS: Final = 600
START_NS: Final = 1_790_000_000_000_000_000
JUDGED: Final = 1 << 31

# docs/architecture.md names no sizes: these are the product's own targets, bytes per reading.
TARGETS: Final = {
    ("12-bit registers", 60): 3.0,
    ("12-bit registers", 10): 4.2,
    ("12-bit registers", 5): 6.5,
    ("float32", 60): 5.0,
    ("float32", 10): 6.5,
    ("float32", 5): 8.0,
}
TOGETHER_TARGET: Final = 3.2

ORIGIN: Final = Origin(
    gateway_id=UUID(int=1),
    config_hash=Hash(bytes(32)),
    software_hash=Hash(bytes(32)),
    key=SigningKey.from_seed(bytes(32)),
)
# Not a genesis, which begins with an event: the middle of a chain is what a day is made of.
MIDDLE: Final = Position(
    chain_id=UUID(int=2), batch_no=1, first_seq=0, prev_batch_hash=Hash(bytes([1] * 32))
)

Words = npt.NDArray[np.int64]


def process(seconds: int) -> npt.NDArray[np.float64]:
    """Return values of 60 tags; shape (seconds, 60)."""
    rng = np.random.default_rng(7)
    mean = rng.uniform(5, 400, TAGS)
    shocks = rng.normal(0, 1, (seconds, TAGS)) * mean * 0.004
    noise = np.zeros((seconds, TAGS))
    for second in range(1, seconds):
        noise[second] = 0.95 * noise[second - 1] + shocks[second]
    at = np.arange(seconds)[:, None] + 97 * np.arange(TAGS)
    values: npt.NDArray[np.float64] = mean * (1 + 0.05 * np.sin(2 * np.pi * at / 5400)) + noise
    return values


def raw_words(kind: str, seconds: int = SECONDS) -> Words:
    """Return raw words of 60 tags as the wire carries them; shape (seconds, 60)."""
    values = process(seconds)
    if kind == "float32":
        return values.astype(np.float32).view(np.uint32).astype(np.int64)
    mean = np.random.default_rng(7).uniform(5, 400, TAGS)
    return np.clip(np.round(values / (2 * mean) * 4095), 0, 4095).astype(np.int64)


def batches(
    words: Words, seconds: int, *, origin: Origin = ORIGIN, position: Position = MIDDLE
) -> list[SignedBatch]:
    """Return the batches that commits every so many seconds make of the words."""
    rng = np.random.default_rng(11)
    chain: list[SignedBatch] = []
    for start in range(0, len(words) - seconds + 1, seconds):
        scans = [
            _scan(words[second, device * CHANNELS : (device + 1) * CHANNELS], second, device, rng)
            for second in range(start, start + seconds)
            for device in range(DEVICES)
        ]
        stamp = stamp_at((start + seconds) * 1_000_000_000)
        batch = seal(
            rows_of(scans), [], position=position, stamp=stamp, origin=origin, flags=BatchFlag(0)
        )
        chain.append(batch)
        position = Position.after(batch.header, batch.batch_hash)
    return chain


def stamp_at(mono_ns: int) -> Stamp:
    """Return the clock fields of a header, so long after the boot."""
    return Stamp(
        boot_count=1,
        boot_id=UUID(int=3),
        mono_ns=mono_ns,
        wall_ns=START_NS + mono_ns,
        wall_unc_ms=UNKNOWN_ERROR_MS,
        clock_state=ClockState.RTC,
    )


def measure() -> list[Figure]:
    """Return bytes per reading for two kinds of data and three commit intervals."""
    figures = []
    for (kind, seconds), target in TARGETS.items():
        chain = batches(raw_words(kind), seconds)
        figures.append(
            Figure(
                name=f"wire, {kind}, {seconds}-s batches",
                measured=_frames_size(chain) / (len(chain) * seconds * TAGS),
                unit="B/reading",
                bound=target,
                note="frame, header and signature included",
            )
        )
    figures.append(_together())
    return figures


def _together() -> Figure:
    """Return the size of twelve 5-s batches in one request, as the uplink compresses it."""
    chain = batches(raw_words("12-bit registers"), 5)[:12]
    request = b"".join(map(encode_batch, joined(tuple(map(frame_of, chain)))))
    readings = len(chain) * 5 * TAGS
    return Figure(
        name="wire, twelve 5-s batches of 12-bit registers in one request",
        measured=len(zstandard.compress(request, JOINT_LEVEL)) / readings,
        unit="B/reading",
        bound=TOGETHER_TARGET,
        note=f"as the uplink sends it; {_frames_size(chain) / readings:.2f} as stored",
    )


def _scan(words: Words, second: int, device: int, rng: np.random.Generator) -> Readings:
    at_ns = second * 1_000_000_000 + device * 150_000_000 + int(rng.integers(0, 3_000_000))
    return Readings(
        at_ns=START_NS + at_ns,
        mono_ns=at_ns,
        channel=np.arange(device * 100 + 1, device * 100 + 1 + CHANNELS, dtype=np.uint32),
        raw=words,
        status=np.zeros(CHANNELS, dtype=np.uint32),
        quality=np.full(CHANNELS, JUDGED | Reason(0), dtype=np.uint32),
    )


def frame_of(batch: SignedBatch) -> BatchFrame:
    """Return a batch as it is stored."""
    return BatchFrame(
        flags=FrameFlag(0),
        header_bytes=batch.header_bytes,
        signature=batch.signature,
        body=batch.body,
    )


def _frames_size(chain: Sequence[SignedBatch]) -> int:
    return sum(len(encode_batch(frame_of(batch))) for batch in chain)
