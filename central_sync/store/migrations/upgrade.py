"""Brings a database up to the newest revision; a database that is there already is left alone."""

from pathlib import Path
from typing import Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

_HERE: Final = Path(__file__).parent


def upgrade(url: str) -> tuple[str | None, str | None]:
    """Apply what is missing; return the revision before and the revision after.

    Args:
        url: the database as SQLAlchemy names it, such as `sqlite:////var/lib/.../centre.db`.

    """
    config = _config()
    engine = sa.create_engine(url)
    try:
        with engine.begin() as connection:
            before = MigrationContext.configure(connection).get_current_revision()
            if before != newest():
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
            return before, MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()


def newest() -> str | None:
    """Return the newest revision this release knows."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_HERE))
    config.set_main_option("path_separator", "os")
    return config
