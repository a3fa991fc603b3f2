"""The schema comes from the revisions alone, and they make what the description says."""

import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext

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
