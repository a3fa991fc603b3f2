"""What a `key_rotated` event is worth: whether the key it names has agreed to follow. Pure.

The batch is signed by the old key, the proof by the new one: only who has both can change a key.
Whatever comes out, the batch itself stays what its signature says. A decoder's word is not taken
for it: events are read here, without Arrow, from the bytes whose hash was signed.
"""

from collections.abc import Sequence

from central_sync.store.admission import Candidate, Rotation
from edge_agent.wire.batch import open_body
from edge_agent.wire.enrolment import public_key_of, rotation_message
from edge_agent.wire.events import KEY_ROTATED, Event, parse_event
from edge_agent.wire.frame import FrameFlag
from edge_agent.wire.header import Header
from edge_agent.wire.headstone import open_headstone
from edge_agent.wire.refusal import RefusedError
from edge_agent.wire.signing import ROTATION_CONTEXT


def rotation_of(candidate: Candidate) -> Rotation | None:
    """Return the rotation that a batch tells; None where it tells none, or cannot be read."""
    header, body = candidate.header, candidate.body_bytes
    try:
        is_headstone = FrameFlag.HEADSTONE in candidate.flags
        opened = open_headstone(header, body) if is_headstone else open_body(header, body)
        return rotation_in(header, [parse_event(line) for line in opened.event_lines[-1:]])
    except RefusedError:
        return None


def rotation_in(header: Header, events: Sequence[Event]) -> Rotation | None:
    """Return the rotation that the last event of a batch tells; None where it tells none."""
    if not events or events[-1].type != KEY_ROTATED:
        return None
    fields = events[-1].fields
    key = public_key_of(fields.get("public_key"))
    if key is None:
        return Rotation(public_key=None, fault="the event does not bring the new key")
    if key.key_id.hex() != fields["key"]:
        return Rotation(public_key=None, fault="the event names another key than it brings")
    message = rotation_message(
        gateway_id=header.gateway_id,
        chain_id=header.chain_id,
        old_key_id=header.key_id,
        new_key=key,
    )
    try:
        key.verify(ROTATION_CONTEXT, message, bytes.fromhex(str(fields["proof"])))
    except RefusedError:
        return Rotation(public_key=None, fault="the new key has not signed that it follows")
    return Rotation(public_key=key.public_bytes)
