"""A centre from before the log: its registry is logged when it is opened, its batches stay."""

import sqlite3
from pathlib import Path

import sqlalchemy as sa
from alembic import command

from central_sync.app import opened
from central_sync.config import CentreSettings
from central_sync.proofs.entry import FactEntry, parse_entry
from central_sync.store.migrations import upgrade as module
from edge_agent.wire.signing import SigningKey

KEY = SigningKey.from_seed(b"k" * 32)
GATEWAY = bytes(range(16))


def logged(settings: CentreSettings) -> list[str]:
    """Return the types of all facts in the log of a centre, opened for it."""
    with opened(settings) as centre:
        read = map(parse_entry, centre.store.log_entries(0, 100))
        return [entry.type for entry in read if isinstance(entry, FactEntry)]


def test_what_was_registered_before_the_log_is_logged(tmp_path: Path) -> None:
    settings = CentreSettings(state=tmp_path)
    engine = sa.create_engine(f"sqlite:///{settings.database}")
    config = module._config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
    engine.dispose()
    old = sqlite3.connect(settings.database)
    old.execute("insert into gateway values (?, 'PLANT', 'stack 1', 1, 5, 'stolen')", (GATEWAY,))
    old.execute(
        "insert into gateway_key values (?, ?, ?, 2)", (GATEWAY, KEY.key_id, KEY.public_bytes)
    )
    old.execute("insert into bundle values (?, x'7b7d', 3)", (b"b" * 32,))
    old.execute("insert into profile values (?, x'00', 4)", (b"p" * 32,))
    old.execute("insert into profile values (?, null, null)", (b"q" * 32,))
    old.commit()
    old.close()
    assert logged(settings) == logged(settings)  # also when it is opened again
    assert logged(settings) == [
        "log_started",
        "receipt_key",
        "gateway_added",
        "gateway_revoked",
        "key_registered",
        "bundle_stored",
        "profile_stored",
    ]
