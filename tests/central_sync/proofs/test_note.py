"""Notes and checkpoints are those of c2sp.org, and are taken in the one way they may be written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central_sync.proofs.note import Checkpoint, NoteKey, signed_note, text_of
from edge_agent.wire.refusal import RefusedError
from edge_agent.wire.signing import SigningKey
from edge_agent.wire.vocabulary import Hash

# The example of golang.org/x/mod/sumdb/note, from which c2sp.org/signed-note comes.
KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
NOTE = (
    f"{TEXT}\n\u2014 PeterNeumann"
    " x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqf"
    "qdngotpRZb6KE6RyyBwJnAM=\n"
).encode()

OURS = SigningKey.from_seed(b"l" * 32)
NAMED = NoteKey(name="centre.example/log", key=OURS.verifying_key)
CHECKPOINT = Checkpoint(origin=NAMED.name, size=20852163, root=Hash(b"r" * 32))


def test_a_note_of_others_is_read_and_verified() -> None:
    key = NoteKey.parse(KEY)
    assert str(key) == KEY
    assert text_of(NOTE, key) == TEXT


def test_a_checkpoint_is_origin_size_and_root_under_a_signature() -> None:
    note = CHECKPOINT.signed(OURS)
    lines = note.decode().split("\n")
    assert lines[:4] == [NAMED.name, "20852163", "cnJycnJycnJycnJycnJycnJycnJycnJycnJycnJycnI=", ""]
    assert lines[4].startswith(f"\u2014 {NAMED.name} ")
    assert lines[5:] == [""]
    assert Checkpoint.opened(note, NAMED) == CHECKPOINT


def test_signatures_of_others_are_not_looked_at() -> None:
    other = SigningKey.from_seed(b"w" * 32)
    mine = CHECKPOINT.signed(OURS)
    theirs = signed_note(CHECKPOINT.text, "witness.example", other).rpartition(b"\n\n")[2]
    longer = theirs.replace(b"\n", b"")[:-4] + b"AAAA" * 9 + b"\n"
    assert Checkpoint.opened(mine + theirs + longer, NAMED) == CHECKPOINT


@given(place=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_every_changed_byte_is_noticed(place: int, flip: int) -> None:
    note = bytearray(CHECKPOINT.signed(OURS))
    note[place % len(note)] ^= flip
    with pytest.raises(RefusedError):
        Checkpoint.opened(bytes(note), NAMED)


@pytest.mark.parametrize(
    "text",
    [
        f"{NAMED.name}\n1\n",
        f"{NAMED.name}\n01\n{'A' * 43}=\n",
        f"{NAMED.name}\n-1\n{'A' * 43}=\n",
        f"{NAMED.name}\n1\n{'A' * 44}\n",
        f"{NAMED.name}\n1\n{'A' * 42}B=\n",
        f"{NAMED.name}\n1\n{'A' * 43}=\nmore\n",
        f"other.example\n1\n{'A' * 43}=\n",
    ],
)
def test_a_signed_text_that_is_no_checkpoint_of_the_log_is_refused(text: str) -> None:
    with pytest.raises(RefusedError):
        Checkpoint.opened(signed_note(text, NAMED.name, OURS), NAMED)


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"text\n",
        b"text\n\n",
        b"\xff\n\n\xe2\x80\x94 a AAAA\n",
        b"text\n\n\xe2\x80\x94 a\n",
        b"x" * 20_000,
        CHECKPOINT.signed(OURS)[:-1],
        CHECKPOINT.signed(SigningKey.from_seed(b"x" * 32)),
    ],
)
def test_what_is_no_note_of_ours_is_refused(note: bytes) -> None:
    with pytest.raises(RefusedError):
        text_of(note, NAMED)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a+b+c",
        KEY.replace("c74f20a3", "c74f20a4"),
        KEY.replace("Peter", "Pe ter"),
        KEY[:-4],
    ],
)
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(RefusedError):
        NoteKey.parse(text)
