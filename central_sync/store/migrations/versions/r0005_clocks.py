"""What is known of the clocks of gateways: batches whose clock was trusted, and those in doubt."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

from edge_agent.wire.header import Header
from edge_agent.wire.refusal import RefusedError
from edge_agent.wire.vocabulary import UNKNOWN_ERROR_MS

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# Written out here and not imported: a released revision never changes with the code around it.
INT64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
BYTES = sa.LargeBinary()
TEXT = sa.Text()
ACCEPTED, BRANCH, HEADSTONE = 0, 2, 3
ROWS_AT_ONCE = 1000
LARGEST = 2**63 - 1
NS_PER_MS = 1_000_000


def upgrade() -> None:
    """Make the tables, and fill them from the headers that are stored."""
    op.create_table(
        "clock_anchor",
        *_place(),
        sa.Column("wall_ns", INT64, nullable=False),
        sa.Column("error_ns", INT64, nullable=False),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "clock_doubt",
        *_place(),
        sa.Column("mono_min", INT64, nullable=False),
        sa.Column("mono_max", INT64, nullable=False),
        sa.Column("quarters", TEXT, nullable=False),
        sa.Column("is_due", sa.Integer(), nullable=False),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index(
        "clock_doubt_due",
        "clock_doubt",
        ["gateway_id"],
        sqlite_where=sa.text("is_due"),
        postgresql_where=sa.text("is_due <> 0"),
    )
    for rows in _stored(op.get_bind()):
        _fill(rows)


def _place() -> list[sa.Column[Any]]:
    kinds: dict[str, Any] = {
        "gateway_id": BYTES,
        "boot_count": INT64,
        "boot_id": BYTES,
        "mono_ns": INT64,
        "batch_id": INT64,
    }
    return [
        sa.Column(name, kind, primary_key=True, autoincrement=False) for name, kind in kinds.items()
    ]


def _stored(connection: sa.Connection) -> Iterator[list[tuple[Any, ...]]]:
    """Yield what is stored, some rows at a time."""
    last = 0
    query = sa.text(
        "select id, header, at_min, at_max from batch where id > :last"
        " and verdict in (:accepted, :branch, :headstone) order by id limit :count"
    )
    while True:
        given = {
            "last": last,
            "accepted": ACCEPTED,
            "branch": BRANCH,
            "headstone": HEADSTONE,
            "count": ROWS_AT_ONCE,
        }
        rows = [tuple(row) for row in connection.execute(query, given)]
        if not rows:
            return
        yield rows
        last = rows[-1][0]


def _fill(rows: list[tuple[Any, ...]]) -> None:
    connection = op.get_bind()
    for batch_id, packed, at_min, at_max in rows:
        try:
            header = Header.unpack(packed)
        except RefusedError:
            continue  # damaged since: it says nothing of a clock
        place = {
            "gateway_id": header.gateway_id.bytes,
            "boot_count": header.boot_count,
            "boot_id": header.boot_id.bytes,
            "mono_ns": header.mono_ns,
            "batch_id": batch_id,
        }
        if header.wall_unc_ms != UNKNOWN_ERROR_MS:
            connection.execute(
                sa.text(
                    "insert into clock_anchor values (:gateway_id, :boot_count, :boot_id, :mono_ns,"
                    " :batch_id, :wall_ns, :error_ns)"
                ),
                {
                    **place,
                    "wall_ns": header.wall_ns,
                    "error_ns": header.wall_unc_ms * NS_PER_MS,
                },
            )
        elif at_min is not None:
            offset_ns = header.wall_ns - header.mono_ns
            connection.execute(
                sa.text(
                    "insert into clock_doubt values (:gateway_id, :boot_count, :boot_id, :mono_ns,"
                    " :batch_id, :mono_min, :mono_max, '[]', 1)"
                ),
                {
                    **place,
                    "mono_min": _held(at_min - offset_ns),
                    "mono_max": _held(at_max - offset_ns),
                },
            )


def _held(value: int) -> int:
    """Return a number as near as 64 bits come to it."""
    return max(-LARGEST - 1, min(LARGEST, value))
