"""What only the embedded store promises: durable at every commit, and a layout outsiders read."""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from central_sync.store.embedded import database as module
from central_sync.store.embedded.database import READER_COUNT, Database
from central_sync.store.embedded.losses import (
    ALL,
    READINGS,
    are_batches,
    are_readings,
    note_numbers,
)
from central_sync.store.migrations.upgrade import upgrade
from central_sync.store.port import StoreUnavailableError

LINE = (b"g" * 16, b"c" * 16)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    upgrade(f"sqlite:///{tmp_path}/centre.db")
    return tmp_path / "centre.db"


@pytest.fixture
def database(file: Path) -> Iterator[Database]:
    database = Database(file)
    yield database
    database.close()


def test_every_connection_writes_ahead_and_waits_for_the_disk(database: Database) -> None:
    with ExitStack() as stack:
        readers = [stack.enter_context(database.read()) for _ in range(READER_COUNT)]
        for connection in (stack.enter_context(database.write()), *readers):
            assert connection.execute("pragma journal_mode").fetchone() == ("wal",)
            assert connection.execute("pragma synchronous").fetchone() == (2,)


def test_a_file_that_cannot_write_ahead_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StoreUnavailableError, match="must be wal"):
        Database(Path(":memory:"))


def test_readers_cannot_write(database: Database) -> None:
    with (
        database.read() as connection,
        pytest.raises(sqlite3.OperationalError, match="readonly"),
    ):
        connection.execute("delete from batch")


def test_a_reader_sees_one_state_while_the_writer_goes_on(database: Database) -> None:
    with database.read() as reader:
        count = "select count(*) from counter"
        assert reader.execute(count).fetchone() == (0,)
        with database.write() as writer:
            writer.execute("insert into counter (name, value) values ('a', 1)")
        assert reader.execute(count).fetchone() == (0,)
    with database.read() as reader:
        assert reader.execute(count).fetchone() == (1,)


def test_a_write_that_raises_leaves_no_trace(database: Database) -> None:
    def fail() -> None:
        with database.write() as writer:
            writer.execute("insert into counter (name, value) values ('a', 1)")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with database.write() as writer:
        assert writer.execute("select count(*) from counter").fetchone() == (0,)


def test_a_file_locked_by_another_process_is_told_as_unavailable(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BUSY_TIMEOUT_MS", 1)
    database = Database(file)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("begin immediate")
    with (
        pytest.raises(StoreUnavailableError, match="locked"),
        database.write(),
    ):
        pass
    other.execute("rollback")
    other.close()
    with database.write() as writer:
        writer.execute("insert into counter (name, value) values ('a', 1)")
    database.close()


def test_the_record_has_the_columns_that_outsiders_read(file: Path) -> None:
    connection = sqlite3.connect(file)
    columns = connection.execute("select name, type from pragma_table_info('batch')").fetchall()
    connection.close()
    assert columns == [
        ("id", "INTEGER"),
        ("gateway_id", "BLOB"),
        ("chain_id", "BLOB"),
        ("batch_no", "INTEGER"),
        ("batch_hash", "BLOB"),
        ("verdict", "INTEGER"),
        ("header", "BLOB"),
        ("signature", "BLOB"),
        ("receipt", "BLOB"),
        ("received_ns", "INTEGER"),
        ("at_min", "INTEGER"),
        ("at_max", "INTEGER"),
        ("record_count", "INTEGER"),
        ("body", "BLOB"),
    ]


@pytest.mark.parametrize(
    ("losses", "first", "last", "is_covered"),
    [
        ([], 1, 1, False),
        ([(1, 1)], 1, 1, True),
        ([(0, 9)], 1, 3, True),
        ([(1, 2), (3, 3)], 1, 3, True),
        ([(1, 2), (2, 3)], 1, 3, True),
        ([(1, 1), (3, 3)], 1, 3, False),
        ([(2, 3)], 1, 3, False),
        ([(1, 2)], 1, 3, False),
        ([(0, 0), (1, 3)], 1, 3, True),
        ([(0, 5), (1, 1)], 1, 3, True),
    ],
)
def test_losses_cover_a_hole_when_no_number_is_left(
    database: Database,
    losses: list[tuple[int, int]],
    first: int,
    last: int,
    *,
    is_covered: bool,
) -> None:
    with database.write() as connection:
        for ends in losses:
            note_numbers(connection, LINE, ALL, first=ends[0], last=ends[1])
        assert are_batches(connection, LINE, first=first, last=last) is is_covered


NUMBERS = st.integers(0, 12)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(losses=st.lists(st.tuples(NUMBERS, NUMBERS), max_size=8), first=NUMBERS, last=NUMBERS)
def test_losses_agree_with_the_set_of_their_numbers_and_stand_apart(
    database: Database, losses: list[tuple[int, int]], first: int, last: int
) -> None:
    lost = {number for start, end in losses for number in range(start, end + 1)}
    with database.write() as connection:
        connection.execute("delete from loss")
        for start, end in losses:
            note_numbers(connection, LINE, ALL, first=start, last=end)
        if first <= last:
            expected = lost.issuperset(range(first, last + 1))
            assert are_batches(connection, LINE, first=first, last=last) is expected
        kept = connection.execute("select first_batch, last_batch from loss").fetchall()
        assert all(one[1] + 1 < other[0] for one, other in pairwise(kept))


def test_lost_readings_are_not_lost_batches(database: Database) -> None:
    with database.write() as connection:
        note_numbers(connection, LINE, READINGS, first=3, last=4)
        note_numbers(connection, LINE, ALL, first=5, last=5)
        assert [are_readings(connection, LINE, number) for number in (2, 3, 4, 5, 6)] == [
            *(False, True, True, True, False)
        ]
        assert not are_batches(connection, LINE, first=4, last=4)
        assert not are_batches(connection, LINE, first=4, last=5)
        assert are_batches(connection, LINE, first=5, last=5)


def test_a_loss_up_to_the_largest_number_is_kept(database: Database) -> None:
    with database.write() as connection:
        note_numbers(connection, LINE, ALL, first=3, last=2**63 - 1)
        assert are_batches(connection, LINE, first=3, last=2**63 - 2)


def test_what_sqlite_finds_wrong_with_the_file_is_unavailable_and_costs_no_reader(
    file: Path,
) -> None:
    database = Database(file)
    for _ in range(READER_COUNT + 1):
        with pytest.raises(StoreUnavailableError, match="malformed"), database.read():
            raise sqlite3.DatabaseError("database disk image is malformed")
        with database.read() as reader:
            reader.execute("rollback")  # as SQLite does by itself when a disk fails
    with pytest.raises(StoreUnavailableError, match="malformed"), database.write():
        raise sqlite3.DatabaseError("database disk image is malformed")
    with database.read() as reader:
        assert reader.execute("select count(*) from batch").fetchone() == (0,)
    database.close()
