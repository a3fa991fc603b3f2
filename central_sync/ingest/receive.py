"""From the bytes of a request to candidates whose header, key and signature are good.

Looks at the store, never writes to it. Checks come in the order of docs/wire-format.md section 12,
cheap ones first; the first frame that fails ends the request.
"""

from functools import lru_cache
from typing import Final
from uuid import UUID

import zstandard

from central_sync.ingest.bodies import Bodies
from central_sync.ingest.decoder import ReadBodies, read_here
from central_sync.ingest.rotation import rotation_of
from central_sync.store.admission import Candidate, Previous, Refusal, Submission, Unread
from central_sync.store.port import Store
from edge_agent.wire.compression import MAX_WINDOW
from edge_agent.wire.frame import (
    MAX_FRAMES,
    MAX_REQUEST,
    BatchFrame,
    encode_batch,
    frames,
)
from edge_agent.wire.header import Header, batch_hash
from edge_agent.wire.receipt import Receipt
from edge_agent.wire.refusal import Code, RefusedError
from edge_agent.wire.signing import BATCH_CONTEXT, RECEIPT_CONTEXT, VerifyingKey

# Offsets of gateway_id and key_id in a header (docs/wire-format.md section 2).
_GATEWAY: Final = slice(16, 32)
_KEY: Final = slice(280, 312)
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
    presented: list[Previous] = []
    refusal = rejected = frame = None
    index = -1
    with Bodies(gateway_id, store, read_bodies) as bodies:
        try:
            for index, frame in enumerate(frames(request)):
                if isinstance(frame, BatchFrame):
                    _learn(keys, frame, gateway_id, store, bodies.last)
                    bodies.add(_candidate(index, frame, gateway_id, keys=keys))
                else:
                    presented += _ours(frame.receipt_bytes, gateway_id, receipt_key)
        except RefusedError as refused:
            if index + 1 == MAX_FRAMES and refused.code is Code.FRAME:
                raise TooLargeError(refused.detail) from refused
            is_frame_whole = refused.code is not Code.FRAME
            refusal = refusal_of(refused, index if is_frame_whole else index + 1)
            if refused.code in _OF_A_KEY and isinstance(frame, BatchFrame):
                rejected = encode_batch(frame)
        candidates = bodies.candidates()
    return Submission(
        gateway_id=gateway_id,
        candidates=candidates,
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
    before: Candidate | None,
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
    rotation = None if before is None else rotation_of(before)
    brought = None if rotation is None or rotation.public_key is None else rotation.public_key
    key = None if brought is None else _verifying(brought)
    keys[key_id] = key if key is not None and key.key_id == key_id else None


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
