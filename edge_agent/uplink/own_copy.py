"""Whether a batch on our own disk is still what was signed. Pure.

Asked when the centre refuses a batch: a damaged copy is ours to report, a good one is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.wire.batch import open_body
from edge_agent.wire.frame import FrameFlag
from edge_agent.wire.header import Header, batch_hash
from edge_agent.wire.headstone import open_headstone
from edge_agent.wire.refusal import RefusedError
from edge_agent.wire.signing import BATCH_CONTEXT, VerifyingKey

if TYPE_CHECKING:
    from edge_agent.wire.frame import BatchFrame
    from edge_agent.wire.vocabulary import Hash


def is_intact(frame: BatchFrame, expected: Hash, key: VerifyingKey) -> bool:
    """Return whether header, signature and body still agree with each other and the hash.

    Args:
        frame: the batch as stored.
        expected: its hash as the buffer knows it.
        key: the present signing key; a signature of an earlier one is not checked.

    """
    if batch_hash(frame.header_bytes) != expected:
        return False
    try:
        header = Header.unpack(frame.header_bytes)
        if header.key_id == key.key_id:
            key.verify(BATCH_CONTEXT, frame.header_bytes, frame.signature)
        if FrameFlag.HEADSTONE in frame.flags:
            open_headstone(header, frame.body)
        else:
            open_body(header, frame.body)
    except RefusedError:
        return False
    return True
