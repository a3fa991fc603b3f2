"""Pages of any content: only what verifies comes out, in bounded lots, and nothing is raised."""

import asyncio
import random
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_agent.buffer.carving import SEALED, local_bytes, varint
from edge_agent.buffer.pages import Pages
from edge_agent.buffer.remains import Remains
from tests.edge_agent.buffer.gateway import GATEWAY, KEY, Gateway
from tests.edge_agent.buffer.reopening import BATCHES, PAGE, filled
from tests.edge_agent.buffer.salvage import waiting


class Sound:
    """A buffer and its signatures; not a dataclass, because hypothesis prints those."""

    def __init__(self, content: bytes, signatures: set[bytes]) -> None:
        self.content = content
        self.signatures = signatures


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Sound:
    gateway, frames = asyncio.run(filled(tmp_path_factory.mktemp("sound")))
    return Sound(gateway.path.read_bytes(), {frame.signature for frame in frames})


def found_in(database: bytes, log: bytes) -> list[bytes]:
    """Return the signatures of what comes out of two files, everything else looked at too."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "buffer.db"
        path.write_bytes(database)
        path.with_name("buffer.db-wal").write_bytes(log)
        with Pages(path) as pages:
            remains = Remains(pages, gateway_id=GATEWAY, key=KEY.verifying_key)
            signatures: list[bytes] = []
            at = 0
            while (lot := remains.lot(at)) is not None:
                assert lot.end > at
                at = lot.end
                signatures += [batch.signature for batch in lot.batches]
            for document in remains.documents():
                document.verify()
            assert all(run.receipt.gateway_id == GATEWAY for run in remains.receipts())
            fresh = Remains(pages, gateway_id=GATEWAY, key=KEY.verifying_key)
            assert len(list(fresh.sighted(10))) <= 10
    return signatures


def test_each_batch_of_a_sound_file_comes_out_once(sound: Sound) -> None:
    found = found_in(sound.content, b"")
    assert len(found) == len(set(found)) == BATCHES + 1
    assert set(found) == sound.signatures


def test_a_log_of_which_the_database_has_nothing_yet_is_enough(sound: Sound) -> None:
    # The pages of the file as frames of a log, as in a buffer that was never checkpointed.
    frames = [
        (at // PAGE + 1).to_bytes(4, "big") + bytes(20) + sound.content[at : at + PAGE]
        for at in range(0, len(sound.content), PAGE)
    ]
    assert set(found_in(b"", bytes(32) + b"".join(frames))) == sound.signatures


@pytest.mark.asyncio
async def test_a_pointer_to_the_next_page_that_is_damaged_costs_no_batch(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path)
    async with gateway.opened() as buffer:
        for _ in range(BATCHES):
            await buffer.append(gateway.portion(300))
        signatures = {frame.signature for frame in await waiting(buffer)}
    content = bytearray(gateway.path.read_bytes())
    harmed_count = 0
    for at in range(0, len(content), PAGE):
        number = int.from_bytes(content[at : at + 4], "big")
        if number == at // PAGE + 2:  # an overflow page whose next is the one behind it
            content[at] ^= 0x40
            harmed_count += 1
    assert harmed_count > BATCHES
    assert set(found_in(bytes(content), b"")) == signatures


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32), pieces=st.integers(1, 40), as_log=st.booleans())
def test_pieces_of_a_buffer_between_noise_give_nothing_that_was_not_signed(
    sound: Sound, seed: int, pieces: int, *, as_log: bool
) -> None:
    chance = random.Random(seed)  # noqa: S311 - chance, not a secret
    parts: list[bytes] = []
    for _ in range(pieces):
        match chance.randrange(5):
            case 0:
                parts.append(chance.randbytes(chance.randrange(1, 3 * PAGE)))
            case 1:
                parts.append(bytes([13]) + chance.randbytes(PAGE - 1))
            case 2:
                header = bytes([chance.randrange(6, 12)]) + SEALED + chance.randbytes(3)
                parts.append(chance.randbytes(20) + header + chance.randbytes(450))
            case 3:
                at = chance.randrange(len(sound.content))
                parts.append(sound.content[at : at + chance.randrange(1, 8 * PAGE)])
            case _:
                at = chance.randrange(len(sound.content) // PAGE) * PAGE
                page = bytearray(sound.content[at : at + 4 * PAGE])
                page[chance.randrange(len(page))] ^= 1 << chance.randrange(8)
                parts.append(bytes(page))
    content = b"".join(parts)
    found = found_in(b"", content) if as_log else found_in(content, sound.content[: 40 * PAGE])
    assert set(found) <= sound.signatures
    assert len(found) == len(set(found))


@pytest.mark.parametrize(
    ("page", "value", "end"),
    [
        (b"\x00", 0, 1),
        (b"\x7f", 127, 1),
        (b"\x81\x00", 128, 2),
        (b"\xff" * 8 + b"\xff", 2**64 - 1, 9),
        (b"\xff", 0, 1),
        (b"", 0, 1),
    ],
)
def test_variable_length_integers_are_read_as_sqlite_writes_them(
    page: bytes, value: int, end: int
) -> None:
    assert varint(page, 0) == (value, end)


# U = 512: X = 477, M = 39, K = 39 + (P - 39) mod 508; all of it up to X, else K up to X, else M.
@pytest.mark.parametrize(
    ("total", "local"),
    [(100, 100), (477, 477), (478, 39), (547, 39), (900, 392), (985, 477), (986, 39)],
)
def test_what_stands_in_the_page_of_a_leaf_is_what_the_file_format_says(
    total: int, local: int
) -> None:
    assert local_bytes(total) == local


def test_a_damaged_copy_of_a_header_does_not_hide_the_good_one(sound: Sound) -> None:
    # The signature of the harmed copies, which come first, is that of the good ones.
    harmed = bytearray(sound.content)
    for at in range(len(harmed) - 8):
        if harmed[at : at + 8] == b"EWBATCH1" and at % PAGE < PAGE - 40:
            harmed[at + 16] ^= 1  # of the gateway's id
    frames = [
        (at // PAGE + 1).to_bytes(4, "big") + bytes(20) + bytes(harmed[at : at + PAGE])
        for at in range(0, len(harmed), PAGE)
    ]
    assert set(found_in(sound.content, bytes(32) + b"".join(frames))) == sound.signatures
