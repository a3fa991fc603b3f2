"""What is lost is told by name where nothing is left of it, and by number where readings are."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# Written out here and not imported: a released revision never changes with the code around it.
INT64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
BYTES = sa.LargeBinary()
LOSS = "gateway_id, chain_id, first_batch, last_batch"


def upgrade() -> None:
    """Tell losses apart; of those that are stored nobody knows any more what they left."""
    op.execute(f"create temporary table kept as select {LOSS} from loss")  # noqa: S608 - constants
    op.drop_table("loss")
    op.create_table(
        "loss",
        _key("gateway_id", BYTES),
        _key("chain_id", BYTES),
        _key("leaves_headstones", sa.Integer()),
        _key("first_batch", INT64),
        _key("last_batch", INT64),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.execute(
        f"insert into loss (leaves_headstones, {LOSS}) select 0, {LOSS} from kept"  # noqa: S608 - constants
    )
    op.execute("drop table kept")
    op.create_table(
        "lost_batch",
        _key("gateway_id", BYTES),
        _key("chain_id", BYTES),
        _key("batch_no", INT64),
        _key("batch_hash", BYTES),
        sa.Column("prev_batch_hash", BYTES, nullable=False),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )


def _key(name: str, kind: sa.types.TypeEngine[Any]) -> sa.Column[Any]:
    return sa.Column(name, kind, primary_key=True, autoincrement=False)
