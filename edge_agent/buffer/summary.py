"""What a buffer's file holds, counted from its headers: for `status` and `buffer info`.

Read-only, also beside a running agent; nothing is verified here, that is `verifying`.
"""

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

from edge_agent.buffer.faults import BufferUnavailableError
from edge_agent.buffer.progress import Progress, fact_of
from edge_agent.buffer.quarantine import folders
from edge_agent.buffer.reading import DAMAGE_ERRORS, opened_read_only
from edge_agent.buffer.table import IS_EMPTIED, sound_fact
from edge_agent.wire.header import Header

# docs/wire-format.md section 3: length, flags, header and signature of a frame.
FRAME_BYTES: Final = 4 + 4 + 312 + 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Counts of a buffer.

    Attributes:
        chain: of the newest batch; None in an empty buffer.
        batch_no: of the newest batch.
        readings: taken since that chain began.
        batches: held here, receipted or not.
        unreceipted_batches: of these, not yet receipted.
        unreceipted_readings: the readings in them.
        unreceipted_bytes: their frames.
        given_up_readings: given up to make room, and not yet known to the centre.
        oldest_unreceipted_ns: when the oldest of them was sealed, UTC ns.
        file_bytes: what the database file takes of the disk.

    """

    chain: UUID | None
    batch_no: int | None
    readings: int
    batches: int
    unreceipted_batches: int
    unreceipted_readings: int
    unreceipted_bytes: int
    given_up_readings: int
    oldest_unreceipted_ns: int | None
    file_bytes: int


def summary_of(path: Path) -> Summary:
    """Return what the buffer at this path holds.

    Raises:
        BufferUnavailableError: there is none, or it cannot be read as one.

    """
    if not path.exists():
        raise BufferUnavailableError(f"{path}: there is no buffer yet; the agent makes it")
    try:
        with opened_read_only(path) as connection:
            return _summary(connection, path.stat().st_size)
    except DAMAGE_ERRORS as error:
        raise BufferUnavailableError(f"{path}: cannot be read as a buffer: {error}") from error


def salvages_of(path: Path) -> dict[Path, Progress]:
    """Return what became of each quarantine beside the buffer, as its last commit says."""
    found = dict.fromkeys(folders(path), Progress())
    if not found:
        return found
    try:
        with opened_read_only(path) as connection:
            for folder in found:
                row = connection.execute(
                    "SELECT content, sha256 FROM fact WHERE name = ?", (fact_of(folder),)
                ).fetchone()
                if row is not None:
                    found[folder] = Progress.parse(sound_fact(fact_of(folder), *row))
    except DAMAGE_ERRORS as error:
        raise BufferUnavailableError(f"{path}: cannot be read as a buffer: {error}") from error
    return found


def _summary(connection: sqlite3.Connection, file_bytes: int) -> Summary:
    (batches,) = connection.execute("SELECT count(*) FROM batch").fetchone()
    newest = connection.execute(
        "SELECT header FROM sealed ORDER BY position DESC LIMIT 1"
    ).fetchone()
    head = None if newest is None else Header.unpack(newest[0])
    readings = size = count = given_up = 0
    oldest_ns: int | None = None
    for header_bytes, body_bytes, is_emptied in connection.execute(
        f"SELECT header, length(body), {IS_EMPTIED} FROM sealed WHERE"  # noqa: S608 - a constant
        " NOT EXISTS (SELECT 1 FROM receipt WHERE sealed.position"
        " BETWEEN receipt.first_position AND receipt.last_position)"
    ):
        header = Header.unpack(header_bytes)
        count += 1
        if is_emptied:
            given_up += header.record_count
        else:
            readings += header.record_count
        size += FRAME_BYTES + body_bytes
        oldest_ns = header.wall_ns if oldest_ns is None else min(oldest_ns, header.wall_ns)
    return Summary(
        chain=None if head is None else head.chain_id,
        batch_no=None if head is None else head.batch_no,
        readings=0 if head is None else head.next_seq,
        batches=batches,
        unreceipted_batches=count,
        unreceipted_readings=readings,
        unreceipted_bytes=size,
        given_up_readings=given_up,
        oldest_unreceipted_ns=oldest_ns,
        file_bytes=file_bytes,
    )
