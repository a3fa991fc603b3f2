"""What only the embedded store promises: durable at every commit, and a layout outsiders read."""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from central_sync.store.embedded import database as module
from central_sync.store.embedded.database import READER_COUNT, Database
from central_sync.store.embedded.holes import covers
from central_sync.store.migrations.upgrade import upgrade
from central_sync.store.port import StoreUnavailableError


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
    losses: list[tuple[int, int]], first: int, last: int, *, is_covered: bool
) -> None:
    assert covers(losses, first=first, last=last) is is_covered
