"""The schema comes from the revisions alone, and they make what the description says."""

import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext

from central_sync.store.embedded.losses import ALL
from central_sync.store.migrations import upgrade as upgrading
from central_sync.store.migrations.upgrade import NewerSchemaError, newest, upgrade
from central_sync.store.schema import METADATA


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "centre.db"


def shape(connection: sqlite3.Connection) -> list[tuple[str, ...]]:
    """Return every table and index as it was made, white space aside."""
    rows = connection.execute(
        "select type, name, sql from sqlite_master where name not like 'alembic%'"
        " and name not like 'sqlite_autoindex%' order by type, name"
    )
    return [(kind, name, " ".join(sql.split())) for kind, name, sql in rows]


def test_from_nothing_the_revisions_make_the_described_schema(file: Path) -> None:
    assert upgrade(f"sqlite:///{file}") == (None, newest())
    engine = sa.create_engine(f"sqlite:///{file}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
        described = sa.create_engine("sqlite://")
        METADATA.create_all(described)
        with described.connect() as other:
            made = connection.connection.driver_connection
            assert isinstance(made, sqlite3.Connection)
            wanted = other.connection.driver_connection
            assert isinstance(wanted, sqlite3.Connection)
            assert shape(made) == shape(wanted)
        described.dispose()
    engine.dispose()


def test_every_table_is_strict(file: Path) -> None:
    upgrade(f"sqlite:///{file}")
    connection = sqlite3.connect(file)
    tables = connection.execute(
        "select name, strict from pragma_table_list where schema = 'main' and type = 'table'"
        " and name not like 'sqlite%' and name not like 'alembic%'"
    ).fetchall()
    connection.close()
    assert len(tables) == len(METADATA.tables)
    assert all(strict for _, strict in tables)


def test_upgrading_twice_changes_nothing(file: Path) -> None:
    upgrade(f"sqlite:///{file}")
    before = file.read_bytes()
    assert upgrade(f"sqlite:///{file}") == (newest(), newest())
    assert file.read_bytes() == before


def at_revision(file: Path, revision: str) -> None:
    """Make a database as an older release left it."""
    engine = sa.create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        config = upgrading._config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()


def test_what_the_first_schema_held_stays_under_the_second(file: Path) -> None:
    at_revision(file, "0001")
    places = [(b"g" * 16, b"c" * 16, number, bytes([number]) * 32) for number in (4, 7)]
    connection = sqlite3.connect(file)
    connection.executemany(
        "insert into hole (gateway_id, chain_id, batch_no, batch_hash, is_headstone, opened_ns,"
        " shrunk_ns) values (?, ?, ?, ?, 0, 5, 6)",
        places,
    )
    connection.execute(
        "insert into batch (gateway_id, chain_id, batch_no, batch_hash, verdict, header, signature,"
        " receipt, received_ns, record_count, body) values (?, ?, 3, ?, 0, ?, ?, ?, 1, 0, ?)",
        (*places[0][:2], b"h" * 32, *[b"x"] * 4),
    )
    connection.commit()
    connection.close()
    assert upgrade(f"sqlite:///{file}") == ("0001", newest())
    connection = sqlite3.connect(file)
    found = connection.execute("select gateway_id, chain_id, batch_no, batch_hash from hole")
    assert found.fetchall() == places
    same_number = "insert into batch select 2, gateway_id, chain_id, batch_no, ?, verdict, header, signature, receipt, received_ns, at_min, at_max, record_count, body from batch"  # noqa: E501 - one statement
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute(same_number, (b"h" * 32,))
    connection.execute(same_number, (b"i" * 32,))
    assert connection.execute("select count(*) from branch").fetchone() == (0,)
    connection.close()


def test_losses_that_were_told_before_they_had_kinds_still_cover_all(file: Path) -> None:
    at_revision(file, "0005")
    connection = sqlite3.connect(file)
    place = (b"g" * 16, b"c" * 16)
    connection.execute("insert into loss values (?, ?, 3, 5)", place)
    connection.commit()
    connection.close()
    assert upgrade(f"sqlite:///{file}") == ("0005", newest())
    connection = sqlite3.connect(file)
    kept = connection.execute("select * from loss").fetchall()
    connection.close()
    assert kept == [(*place, ALL, 3, 5)]


def test_a_schema_of_a_newer_release_is_left_alone(file: Path) -> None:
    upgrade(f"sqlite:///{file}")
    connection = sqlite3.connect(file)
    connection.execute("update alembic_version set version_num = '9999'")
    connection.commit()
    connection.close()
    with pytest.raises(NewerSchemaError, match="9999 is of a newer release"):
        upgrade(f"sqlite:///{file}")


def test_a_revision_that_fails_leaves_no_table_behind(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(config: Config, revision: str) -> None:
        upgrade_command(config, revision)
        raise KeyboardInterrupt

    upgrade_command = command.upgrade
    monkeypatch.setattr(command, "upgrade", failing)
    with pytest.raises(KeyboardInterrupt):
        upgrade(f"sqlite:///{file}")
    connection = sqlite3.connect(file)
    assert shape(connection) == []
    connection.close()
