"""Signed notes and checkpoints: what the centre vouches for, in a form that others can read.

Formats: c2sp.org/signed-note (Ed25519, signature type 1) and c2sp.org/tlog-checkpoint, both read
strictly: only the one way to write a note is taken. The key's name is the origin of the log.
"""

import base64
import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Self

from edge_agent.wire.refusal import Code, RefusedError
from edge_agent.wire.signing import PUBLIC_KEY_SIZE, SIGNATURE_SIZE, SigningKey, VerifyingKey
from edge_agent.wire.vocabulary import HASH_SIZE, Hash

MAX_NOTE: Final = 16 * 1024
"""Bytes of a note: far more than sixteen signatures need."""

_ED25519: Final = b"\x01"
_KEY_ID_SIZE: Final = 4
_DASH: Final = "\u2014"
# Without spaces and plus; we write only these, and need no others.
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9./_-]{0,127}")
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,18}")
# A note is no message of ours with a context of its own: its first line is the log's name.
_NO_CONTEXT: Final = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteKey:
    """Who signs notes: a name and a public key.

    Raises:
        RefusedError: KEY: a name that cannot be one.

    """

    name: str
    key: VerifyingKey

    def __post_init__(self) -> None:
        if _NAME.fullmatch(self.name) is None:
            raise RefusedError(Code.KEY, f"{self.name!r} is no name of a key")

    @property
    def key_id(self) -> bytes:
        """The four bytes before a signature."""
        named = self.name.encode() + b"\n" + _ED25519 + self.key.public_bytes
        return sha256(named).digest()[:_KEY_ID_SIZE]

    def __str__(self) -> str:
        """Return the key as signed notes' tools take it: name, id and key, joined by plus."""
        return "+".join((self.name, self.key_id.hex(), _base64(_ED25519 + self.key.public_bytes)))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the key written in a text.

        Raises:
            RefusedError: KEY: it is none, or its id is of another.

        """
        name, _, rest = text.partition("+")
        key_id, _, encoded = rest.partition("+")
        octets = _octets(encoded)
        if octets[:1] != _ED25519 or len(octets) != 1 + PUBLIC_KEY_SIZE:
            raise RefusedError(Code.KEY, "is no Ed25519 key of signed notes")
        made = cls(name=name, key=VerifyingKey(octets[1:]))
        if made.key_id.hex() != key_id:
            raise RefusedError(Code.KEY, f"its id is {key_id}, must be {made.key_id.hex()}")
        return made


def signed_note(text: str, name: str, key: SigningKey) -> bytes:
    """Return a text, which ends in a newline, as a note under one signature."""
    note_key = NoteKey(name=name, key=key.verifying_key)
    signature = note_key.key_id + key.sign(_NO_CONTEXT, text.encode())
    return f"{text}\n{_DASH} {name} {_base64(signature)}\n".encode()


def text_of(note: bytes, key: NoteKey) -> str:
    """Return the text of a note that a key signed; signatures of other keys are not looked at.

    Raises:
        RefusedError: FRAME: it is no note; SIGNATURE: the key did not sign it.

    """
    if len(note) > MAX_NOTE:
        raise RefusedError(Code.FRAME, f"a note of {len(note)} bytes, at most {MAX_NOTE}")
    try:
        whole = note.decode()
    except UnicodeDecodeError as fault:
        raise RefusedError(Code.FRAME, "a note that is not UTF-8") from fault
    text, blank, lines = whole.rpartition("\n\n")
    if not blank or not lines.endswith("\n"):
        raise RefusedError(Code.FRAME, "a note without signatures")
    found = [_signature(line) for line in lines[:-1].split("\n")]
    ours = [signature for name, signature in found if name == key.name]
    mine = [one[_KEY_ID_SIZE:] for one in ours if one[:_KEY_ID_SIZE] == key.key_id]
    if not mine:
        raise RefusedError(Code.SIGNATURE, f"the note is not signed by {key.name}")
    for signature in mine:
        key.key.verify(_NO_CONTEXT, f"{text}\n".encode(), signature)
    return f"{text}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What a log says of itself: its name, how many leaves it has, and their tree hash."""

    origin: str
    size: int
    root: Hash

    @property
    def text(self) -> str:
        """The text of the note."""
        return f"{self.origin}\n{self.size}\n{_base64(self.root)}\n"

    def signed(self, key: SigningKey) -> bytes:
        """Return the checkpoint as a note, signed under the origin's name."""
        return signed_note(self.text, self.origin, key)

    @classmethod
    def opened(cls, note: bytes, key: NoteKey) -> Self:
        """Return the checkpoint in a note of the log that a key belongs to.

        Raises:
            RefusedError: FRAME: no checkpoint; KEY: of another log; SIGNATURE: not signed.

        """
        text = text_of(note, key)
        origin, *lines = text.split("\n")
        if len(lines) != 3 or lines[2] or _SIZE.fullmatch(lines[0]) is None:
            raise RefusedError(Code.FRAME, "a checkpoint is origin, size and root")
        root = _octets(lines[1])
        if len(root) != HASH_SIZE:
            raise RefusedError(Code.FRAME, f"a root of {len(root)} bytes")
        if origin != key.name:
            raise RefusedError(Code.KEY, f"a checkpoint of {origin!r}, not of {key.name!r}")
        return cls(origin=origin, size=int(lines[0]), root=Hash(root))


def _signature(line: str) -> tuple[str, bytes]:
    """Return name and signature (with its key's id) of one line."""
    dash, name, encoded = [*line.split(" "), "", "", ""][:3]
    octets = _octets(encoded)
    if line != f"{_DASH} {name} {encoded}" or dash != _DASH or len(octets) <= _KEY_ID_SIZE:
        raise RefusedError(Code.FRAME, "a signature of a note is a dash, a name and base64")
    if len(octets) != _KEY_ID_SIZE + SIGNATURE_SIZE:
        return "", b""  # of a kind that is not ours
    return name, octets


def _base64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def _octets(text: str) -> bytes:
    """Return what base64 stands for; empty if it is not written the one way it may be."""
    try:
        octets = base64.b64decode(text, validate=True)
    except ValueError:
        return b""
    return octets if _base64(octets) == text else b""
