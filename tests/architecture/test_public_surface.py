"""The public names of the wire, pinned: gateway and centre share them, so a change is a decision.

A name that comes or goes is entered here in the same change. One that goes, or means something
else, also asks for docs/wire-format.md and the vectors to be looked at.
"""

import ast
from collections.abc import Iterator
from importlib.resources import files

SURFACE = """
arrow.END_MARKER
arrow.SCHEMA_MESSAGE
arrow.arrow_stream
arrow.rows_of_stream
arrow.stream_size
batch.Origin
batch.Position
batch.SignedBatch
batch.Stamp
batch.check_content
batch.open_body
batch.record_root
batch.seal
bundle.BUNDLE_VERSION
bundle.Bundle
bundle.ChannelFacts
bundle.ChannelRow
bundle.MAX_BUNDLE
bundle.MAX_CHANNEL
bundle.bundle_bytes
bundle.config_hash
bundle.parse_bundle
bundle.profile_hashes
canonical.JsonValue
canonical.MAX_DEPTH
canonical.MAX_INTEGER
canonical.canonical
canonical.parse_canonical
chain.link_fault
chain.successor_fault
compression.MAX_WINDOW
compression.SMALL_PAYLOAD
compression.compress
compression.decompress
compression.stored
document.Document
engineering.Coding
engineering.Scaling
enrolment.DECOMMISSION_CONTEXT
enrolment.ENROLMENT_CONTEXT
enrolment.NONCE_SIZE
enrolment.RENEWAL_CONTEXT
enrolment.TOKEN_SIZE
enrolment.decommission_message
enrolment.enrolment_message
enrolment.pin_of
enrolment.public_key_of
enrolment.renewal_message
enrolment.rotation_fields
enrolment.rotation_message
enrolment.token_hash
enrolment.token_of
enrolment.token_text
event_fields.FIELDS
event_fields.Form
event_fields.fields_fault
event_fields.is_hash
event_fields.is_integer
event_fields.is_nanoseconds
events.CLOCK_STEP
events.CONFIG_APPLIED
events.CONTINUE
events.Event
events.KEY_ROTATED
events.LOSS
events.check_events
events.parse_event
frame.BatchFrame
frame.Frame
frame.FrameFlag
frame.MAX_FRAMES
frame.MAX_REQUEST
frame.MEDIA_TYPE
frame.ReceiptFrame
frame.encode_batch
frame.encode_receipt
frame.frames
header.HEADER_SIZE
header.Header
header.MAX_PAYLOAD
header.MIN_PAYLOAD
header.batch_hash
headstone.Headstone
headstone.make_headstone
headstone.open_headstone
linear.Coefficients
linear.FloatLine
linear.IntegerLine
linear.LARGEST
linear.Line
linear.Values
merkle.audit_path
merkle.event_leaf
merkle.fold_headstone
merkle.root
merkle.root_from_path
merkle.scan_leaves
merkle.scan_subtrees
payload.MAX_LINE
payload.MAX_LINES
payload.Parts
payload.join
payload.join_events
payload.split
payload.split_events
readings.MAX_ROWS
readings.ROW
readings.Readings
readings.RowArray
readings.Scan
readings.check_scans
readings.rows_of
receipt.BatchPlace
receipt.NO_LOG
receipt.RECEIPT_SIZE
receipt.Receipt
receipt.sign_receipt
receipt.verify_receipt
refusal.Code
refusal.RefusedError
signing.BATCH_CONTEXT
signing.PUBLIC_KEY_SIZE
signing.RECEIPT_CONTEXT
signing.ROTATION_CONTEXT
signing.SIGNATURE_SIZE
signing.SigningKey
signing.VerifyingKey
vocabulary.BatchFlag
vocabulary.BoolArray
vocabulary.ClockState
vocabulary.HASH_SIZE
vocabulary.Hash
vocabulary.Int64Array
vocabulary.NO_HASH
vocabulary.NO_VALUE
vocabulary.Phase
vocabulary.QualityClass
vocabulary.Reason
vocabulary.UInt32Array
vocabulary.UNKNOWN_ERROR_MS
vocabulary.Verdict
vocabulary.has_value
vocabulary.phase
vocabulary.quality_class
words.NumberArray
words.RAW_TYPES
words.Reader
words.bit_of
words.bit_reader
words.number_reader
words.word_orders
"""


def defined(body: list[ast.stmt]) -> Iterator[str]:
    """Yield the names that a module defines itself: not what it imports."""
    for statement in body:
        match statement:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.ClassDef(name=name) | ast.AnnAssign(target=ast.Name(id=name)):
                yield name
            case ast.Assign(targets=targets):
                yield from (one.id for one in targets if isinstance(one, ast.Name))


def public_names() -> list[str]:
    """Return every public name as module.name, sorted."""
    return sorted(
        f"{path.name.removesuffix('.py')}.{name}"
        for path in files("edge_agent.wire").iterdir()
        if path.name.endswith(".py")
        for name in defined(ast.parse(path.read_text()).body)
        if not name.startswith("_")
    )


def test_the_wire_offers_exactly_these_names() -> None:
    assert public_names() == SURFACE.split()


def test_the_scan_sees_each_kind_of_definition() -> None:
    module = ast.parse(
        "import a\nB: int = 1\nC = 2\nclass D: ...\ndef e(): ...\nasync def f(): ..."
    )
    assert list(defined(module.body)) == ["B", "C", "D", "e", "f"]
