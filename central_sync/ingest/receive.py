"""From the bytes of a request to candidates whose header, key and signature are good.

Looks at the store, never writes to it. Checks come in the order of docs/wire-format.md section 12,
cheap ones first; the first frame that fails ends the request.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from time import monotonic
from typing import Final
from uuid import UUID

import zstandard

from central_sync.ingest.admit import must_read
from central_sync.ingest.decode import kept_body
from central_sync.ingest.decoder import Asked, ReadBodies, read_here
from central_sync.ingest.rotation import rotation_of
from central_sync.store.admission import (
    Body,
    Candidate,
    Contents,
    Known,
    Previous,
    Refusal,
    Sight,
    Submission,
    Unread,
)
from central_sync.store.port import Store
from edge_agent.wire.compression import MAX_WINDOW
from edge_agent.wire.frame import (
    MAX_FRAMES,
    MAX_REQUEST,
    BatchFrame,
    FrameFlag,
    encode_batch,
    frames,
)
from edge_agent.wire.header import MAX_PAYLOAD, Header, batch_hash
from edge_agent.wire.receipt import Receipt
from edge_agent.wire.refusal import Code, RefusedError
from edge_agent.wire.signing import BATCH_CONTEXT, RECEIPT_CONTEXT, VerifyingKey
from edge_agent.wire.vocabulary import Verdict

# Offsets of gateway_id and key_id in a header (docs/wire-format.md section 2).
_GATEWAY: Final = slice(16, 32)
_KEY: Final = slice(280, 312)
# Small bodies can hold much work: one request does not keep a thread longer than this and one body.
READING_AT_MOST_S: Final = 5.0
# So many bodies go to a decoder together: a request of a minute's batches, or of five.
READ_AT_ONCE: Final = 32
_OF_A_KEY: Final = frozenset((Code.KEY, Code.SIGNATURE))


class TooLargeError(Exception):
    """A request of more bytes or frames than one request may have."""


class UnknownEncodingError(Exception):
    """A Content-Encoding that is not taken."""


def unpacked(body: bytes, encoding: str, *, limit: int = MAX_REQUEST) -> bytes:
    """Return a request's body without its Content-Encoding; at most `limit` bytes are unpacked.

    Raises:
        RefusedError: ZSTD: not zstd.
        TooLargeError: it unpacks to more than `limit`.
        UnknownEncodingError: neither zstd nor none.

    """
    if encoding in {"", "identity"}:
        return body
    if encoding != "zstd":
        raise UnknownEncodingError(f"Content-Encoding {encoding} is not taken: zstd or none")
    decompressor = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW)
    try:
        with decompressor.stream_reader(body) as reader:
            content = reader.read(limit + 1)
    except zstandard.ZstdError as fault:
        raise RefusedError(Code.FRAME, f"the request cannot be unpacked: {fault}") from fault
    if len(content) > limit:
        raise TooLargeError(f"the request unpacks to more than {limit} bytes")
    return content


def prepared(
    gateway_id: UUID,
    request: bytes,
    *,
    store: Store,
    receipt_key: VerifyingKey,
    read_bodies: ReadBodies = read_here,
) -> Submission:
    """Return a request's frames as candidates, each body read if the decision needs it.

    Raises:
        TooLargeError: more than 256 frames.

    """
    keys: dict[bytes, VerifyingKey | None] = {}
    candidates: list[Candidate] = []
    presented: list[Previous] = []
    refusal = rejected = frame = None
    index = -1
    try:
        for index, frame in enumerate(frames(request)):
            if isinstance(frame, BatchFrame):
                _learn(keys, frame, gateway_id, store, candidates)
                candidates.append(_candidate(index, frame, gateway_id, keys=keys))
            else:
                presented += _ours(frame.receipt_bytes, gateway_id, receipt_key)
    except RefusedError as refused:
        if index + 1 == MAX_FRAMES and refused.code is Code.FRAME:
            raise TooLargeError(refused.detail) from refused
        is_frame_whole = refused.code is not Code.FRAME
        refusal = refusal_of(refused, index if is_frame_whole else index + 1)
        if refused.code in _OF_A_KEY and isinstance(frame, BatchFrame):
            rejected = encode_batch(frame)
    return Submission(
        gateway_id=gateway_id,
        candidates=_read(gateway_id, candidates, store, read_bodies),
        presented=tuple(presented),
        refusal=refusal,
        rejected=rejected,
    )


def refusal_of(refused: RefusedError, frame: int | None) -> Refusal:
    """Return how the answer says that a frame was no candidate."""
    is_key = refused.code in _OF_A_KEY
    return Refusal(
        status=403 if is_key else 400,
        code="key" if is_key else "frame",
        frame=frame,
        check=refused.code,
        detail=refused.detail,
    )


def _candidate(
    index: int,
    frame: BatchFrame,
    gateway_id: UUID,
    *,
    keys: dict[bytes, VerifyingKey | None],
) -> Candidate:
    """Return a frame as a candidate, its body not looked at.

    Raises:
        RefusedError: KEY, HEADER or SIGNATURE, checked in that order.

    """
    raw = frame.header_bytes
    if raw[_GATEWAY] != gateway_id.bytes:
        raise RefusedError(Code.KEY, f"the header is of another gateway than {gateway_id}")
    key = keys.get(raw[_KEY])
    if key is None:
        raise RefusedError(
            Code.KEY, f"key {raw[_KEY].hex()[:16]} is not an active key of {gateway_id}"
        )
    header = Header.unpack(raw)
    key.verify(BATCH_CONTEXT, raw, frame.signature)
    return Candidate(
        index=index,
        flags=frame.flags,
        header=header,
        header_bytes=raw,
        signature=frame.signature,
        body_bytes=frame.body,
        batch_hash=batch_hash(raw),
        body=Unread(),
    )


def _learn(
    keys: dict[bytes, VerifyingKey | None],
    frame: BatchFrame,
    gateway_id: UUID,
    store: Store,
    before: Sequence[Candidate],
) -> None:
    """Look up the key of a frame, once in a request; None where it does not count.

    A key that the frame before brings is known too: it will be when that frame is stored.
    """
    key_id = frame.header_bytes[_KEY]
    if keys.get(key_id) is not None:
        return
    found = store.key(gateway_id, key_id)
    if found is not None:
        keys[key_id] = _verifying(found.public_key) if found.is_active else None
        return
    rotation = rotation_of(before[-1]) if before else None
    brought = None if rotation is None or rotation.public_key is None else rotation.public_key
    key = None if brought is None else _verifying(brought)
    keys[key_id] = key if key is not None and key.key_id == key_id else None


def _read(
    gateway_id: UUID, candidates: Sequence[Candidate], store: Store, read_bodies: ReadBodies
) -> tuple[Candidate, ...]:
    """Return the candidates with those bodies read on which a decision depends.

    What cannot be read in time stays unread: the gateway sends it again.
    """
    if not candidates:
        return ()
    sights = store.sight(Submission(gateway_id=gateway_id, candidates=tuple(candidates)))
    wanted = _wanted(candidates, sights)
    read = list(candidates)
    begun_s = monotonic()
    for group in _groups(
        [index for index, is_wanted in enumerate(wanted) if is_wanted], candidates
    ):
        asked = [
            Asked(header=one.header, body=one.body_bytes, flags=one.flags)
            for one in (candidates[index] for index in group)
        ]
        for index, body in zip(group, read_bodies(asked), strict=True):
            read[index] = _with_body(candidates[index], body)
        if monotonic() - begun_s >= READING_AT_MOST_S:
            break
    return tuple(read)


def _wanted(candidates: Sequence[Candidate], sights: Sequence[Sight]) -> list[bool]:
    """Return for which candidates a decision depends on the body."""
    wanted: list[bool] = []
    for index, (candidate, seen) in enumerate(zip(candidates, sights, strict=True)):
        sibling = candidates[index - 1] if index and wanted[-1] else None
        wanted.append(must_read(candidate, _with_sibling(seen, candidate, sibling)))
    return wanted


def _groups(indices: Sequence[int], candidates: Sequence[Candidate]) -> Iterator[list[int]]:
    """Yield what is read at once: a few small bodies, or one that is large."""
    group: list[int] = []
    size_bytes = 0
    for index in indices:
        payload_bytes = candidates[index].header.payload_len
        if group and (len(group) >= READ_AT_ONCE or size_bytes + payload_bytes > MAX_PAYLOAD):
            yield group
            group, size_bytes = [], 0
        group.append(index)
        size_bytes += payload_bytes
    if group:
        yield group


def _with_body(candidate: Candidate, body: Body) -> Candidate:
    kept = candidate.body_bytes
    if isinstance(body, Contents) and body.rotation is not None:
        body = replace(body, rotation=rotation_of(candidate))  # a decoder may be out of its mind
    if isinstance(body, Contents) and FrameFlag.HEADSTONE not in candidate.flags:
        kept = kept_body(candidate.header, kept)
    return replace(candidate, body=body, body_bytes=kept)


def _with_sibling(sight: Sight, candidate: Candidate, sibling: Candidate | None) -> Sight:
    """Return the sight as it will be when the frame before it in the request is stored.

    `sibling` is that frame if its body is read, else None.
    """
    if sibling is None or sibling.batch_hash != candidate.header.prev_batch_hash:
        return sight
    before = Known(
        header=sibling.header,
        batch_hash=sibling.batch_hash,
        verdict=Verdict.ACCEPTED,
        receipt=b"",
    )
    return replace(sight, before=before)


def _ours(receipt_bytes: bytes, gateway_id: UUID, key: VerifyingKey) -> list[Previous]:
    """Return what a receipt vouches for, if we gave it to this gateway; else nothing."""
    try:
        receipt = Receipt.unpack(receipt_bytes)
        key.verify(RECEIPT_CONTEXT, receipt.signed_bytes, receipt.signature)
    except RefusedError:
        return []
    if receipt.gateway_id != gateway_id:
        return []
    return [
        Previous(
            chain_id=receipt.chain_id, batch_no=receipt.batch_no, batch_hash=receipt.batch_hash
        )
    ]


@lru_cache(maxsize=4096)
def _verifying(public_key: bytes) -> VerifyingKey:
    """Return a key ready to verify; making one costs as much as half a verification."""
    return VerifyingKey(public_key)
