"""Brings a database up to the newest revision; a database that is there already is left alone."""

import sqlite3
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

_HERE: Final = Path(__file__).parent


class NewerSchemaError(Exception):
    """The database has a schema that this release does not know."""


def upgrade(url: str) -> tuple[str | None, str | None]:
    """Apply what is missing; return the revision before and the revision after.

    Args:
        url: the database as SQLAlchemy names it, such as `sqlite:////var/lib/.../centre.db`.

    Raises:
        NewerSchemaError: it was made by a newer release.

    """
    config = _config()
    engine = sa.create_engine(url)
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _without_driver_transactions)
        sa.event.listen(engine, "begin", _begin)
    try:
        with engine.begin() as connection:
            before = MigrationContext.configure(connection).get_current_revision()
            _require_known(before, url)
            if before != newest():
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
            return before, MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()


def _require_known(revision: str | None, url: str) -> None:
    known = {one.revision for one in ScriptDirectory.from_config(_config()).walk_revisions()}
    if revision is not None and revision not in known:
        raise NewerSchemaError(
            f"{url}: schema {revision} is of a newer release than this one, which knows {newest()}"
        )


def newest() -> str | None:
    """Return the newest revision this release knows."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def _without_driver_transactions(connection: sqlite3.Connection, _: object) -> None:
    """Keep Python's driver from committing before each table is made.

    All revisions are one transaction: a kill in the middle leaves the schema as it was.
    """
    connection.isolation_level = None
    connection.execute("pragma journal_mode=wal")
    connection.execute("pragma synchronous=full")


def _begin(connection: sa.Connection) -> None:
    """Begin as the writer, so that two commands that migrate do so one after the other."""
    connection.exec_driver_sql("begin immediate")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_HERE))
    config.set_main_option("path_separator", "os")
    return config
