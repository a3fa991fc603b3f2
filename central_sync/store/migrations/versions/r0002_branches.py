"""Two batches under one number: a branch is stored beside the main line, and both may lack parts.

What is stored keeps its place: under the first schema every batch was on the main line.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# Written out here and not imported: a released revision never changes with the code around it.
INT64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
BYTES = sa.LargeBinary()

NUMBER = ["gateway_id", "chain_id", "batch_no"]
HOLE = "gateway_id, chain_id, batch_no, batch_hash, is_headstone, opened_ns, shrunk_ns"


def upgrade() -> None:
    """Let hashes tell apart what has one number."""
    op.drop_index("batch_by_number", "batch")
    op.create_index("batch_by_number", "batch", [*NUMBER, "batch_hash"], unique=True)
    op.create_table(
        "branch",
        sa.Column("batch_id", INT64, primary_key=True, autoincrement=False),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.execute(f"create temporary table kept as select {HOLE} from hole")  # noqa: S608 - constants
    op.drop_table("hole")
    op.create_table(
        "hole",
        sa.Column("gateway_id", BYTES, primary_key=True, autoincrement=False),
        sa.Column("chain_id", BYTES, primary_key=True, autoincrement=False),
        sa.Column("batch_no", INT64, primary_key=True, autoincrement=False),
        sa.Column("batch_hash", BYTES, primary_key=True, autoincrement=False),
        sa.Column("is_headstone", sa.Integer(), nullable=False),
        sa.Column("opened_ns", INT64, nullable=False),
        sa.Column("shrunk_ns", INT64, nullable=False),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.execute(f"insert into hole ({HOLE}) select {HOLE} from kept")  # noqa: S608 - constants
    op.execute("drop table kept")
