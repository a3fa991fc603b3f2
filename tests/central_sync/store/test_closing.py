"""Closing waits for whoever uses a connection: a thread outlives the task that waited for it."""

from pathlib import Path
from threading import Event, Thread

import pytest

from central_sync.store.embedded.database import Database
from central_sync.store.port import StoreUnavailableError


@pytest.mark.parametrize("use", ["read", "write"])
def test_closing_waits_for_a_thread_that_is_at_work(tmp_path: Path, use: str) -> None:
    database = Database(tmp_path / "centre.db")
    inside, go, done = Event(), Event(), Event()

    def work() -> None:
        with database.read() if use == "read" else database.write() as connection:
            inside.set()
            go.wait(10)
            assert connection.execute("select 1").fetchone() == (1,)
            done.set()

    worker = Thread(target=work)
    worker.start()
    inside.wait(10)
    closer = Thread(target=database.close)
    closer.start()
    go.set()
    worker.join(10)
    closer.join(10)
    assert done.is_set()


def test_nothing_is_read_or_written_after_closing(tmp_path: Path) -> None:
    database = Database(tmp_path / "centre.db")
    database.close()
    with pytest.raises(StoreUnavailableError, match="closed"), database.read():
        pass
    with pytest.raises(StoreUnavailableError, match="closed"), database.write():
        pass
