"""Documents are what they were, whatever their size, or are refused."""

from hashlib import sha256

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.wire.document import Document
from edge_agent.wire.refusal import Code, RefusedError
from edge_agent.wire.vocabulary import Hash


@given(st.binary(max_size=300_000))
def test_a_document_unpacks_to_what_it_was_made_of(content: bytes) -> None:
    document = Document.of(content)
    document.verify()
    assert document.content() == content
    assert document.size == len(content)
    assert document.digest == sha256(content).digest()


def test_a_large_document_is_never_unpacked_whole() -> None:
    pieces = list(Document.of(bytes(10_000_000)).pieces())
    assert sum(map(len, pieces)) == 10_000_000
    assert max(map(len, pieces)) < 200_000


def test_a_document_with_another_hash_is_refused() -> None:
    with pytest.raises(RefusedError) as refused:
        Document(digest=Hash(bytes(32)), packed=Document.of(b"x").packed).verify()
    assert refused.value.code is Code.PAYLOAD


@pytest.mark.parametrize("packed", [b"", b"no zstd", Document.of(bytes(range(256))).packed[:-9]])
def test_what_cannot_be_unpacked_is_refused(packed: bytes) -> None:
    with pytest.raises(RefusedError):
        Document(digest=Hash(bytes(32)), packed=packed).verify()


@pytest.mark.parametrize(
    "packed", [b"no zstd", zstandard.ZstdCompressor(write_content_size=False).compress(b"x")]
)
def test_a_document_that_does_not_say_its_size_has_none(packed: bytes) -> None:
    with pytest.raises(RefusedError) as refused:
        _ = Document(digest=Hash(bytes(32)), packed=packed).size
    assert refused.value.code is Code.ZSTD
