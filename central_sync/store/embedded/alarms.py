"""Alarms in SQLite: one row per alarm from its opening to its closing, counted while it is open."""

import sqlite3
from typing import Final
from uuid import UUID

from central_sync.model import Alarm, AlarmCode
from central_sync.store.admission import Submission, Warned
from central_sync.store.embedded import log

# A column of the unique index cannot be NULL: there, nulls differ from one another.
NO_GATEWAY: Final = b""
# A gateway that opens a chain per batch must not bury everything else under its alarms.
OPEN_AT_MOST: Final = 32
# Frames under a wrong key or signature are evidence, but anybody can send them.
REJECTED_BYTES_AT_MOST: Final = 4 * 1024 * 1024


def raise_alarm(
    connection: sqlite3.Connection, warned: Warned, *, gateway_id: UUID | None, now_ns: int
) -> None:
    """Open an alarm, or count it once more when the same one is open.

    Where a gateway has many of one code open, what is new counts on the first of them.
    """
    is_counted = connection.execute(
        "update alarm set detail = ?4, seen_count = seen_count + 1 where id = coalesce("
        " (select id from alarm where code = ?1 and gateway_id = ?2 and subject = ?3"
        "  and closed_ns is null),"
        " (select id from alarm where code = ?1 and gateway_id = ?2 and closed_ns is null"
        "  order by id desc limit 1 offset ?5))",
        (warned.code, _bytes(gateway_id), warned.subject, warned.detail, OPEN_AT_MOST - 1),
    ).rowcount
    if not is_counted:
        connection.execute(
            "insert into alarm (code, gateway_id, subject, detail, opened_ns, seen_count)"
            " values (?, ?, ?, ?, ?, 1)",
            (warned.code, _bytes(gateway_id), warned.subject, warned.detail, now_ns),
        )
        log.note_alarm(connection, warned, gateway_id=gateway_id, now_ns=now_ns)


def close_alarm(
    connection: sqlite3.Connection,
    code: AlarmCode,
    *,
    gateway_id: UUID | None,
    subject: str,
    now_ns: int,
) -> None:
    """Close an alarm, if it is open."""
    connection.execute(
        "update alarm set closed_ns = ? where code = ? and gateway_id = ? and subject = ?"
        " and closed_ns is null",
        (now_ns, code, _bytes(gateway_id), subject),
    )


def close_alarms(connection: sqlite3.Connection, *, subject: str, now_ns: int) -> None:
    """Close every open alarm about a subject, of whichever gateway."""
    connection.execute(
        "update alarm set closed_ns = ? where subject = ? and closed_ns is null", (now_ns, subject)
    )


def keep_rejected(connection: sqlite3.Connection, submission: Submission, *, now_ns: int) -> None:
    """Keep the frame of a submission that was refused for its key, while its quota lasts; alarm.

    Each gateway has a quota of its own; all strangers share one, and one alarm.
    """
    frame, refusal = submission.rejected, submission.refusal
    if frame is None or refusal is None:
        return
    known = connection.execute(
        "select id from gateway where id = ?", (submission.gateway_id.bytes,)
    ).fetchone()
    gateway = NO_GATEWAY if known is None else known[0]
    (held,) = connection.execute(
        "select coalesce(sum(length(frame)), 0) from rejected where gateway_id = ?", (gateway,)
    ).fetchone()
    if held + len(frame) <= REJECTED_BYTES_AT_MOST:
        connection.execute(
            "insert into rejected (gateway_id, received_ns, reason, frame) values (?, ?, ?, ?)",
            (gateway, now_ns, refusal.detail, frame),
        )
    raise_alarm(
        connection,
        Warned(code=AlarmCode.KEY, subject="", detail=refusal.detail),
        gateway_id=None if known is None else submission.gateway_id,
        now_ns=now_ns,
    )


def alarms(connection: sqlite3.Connection, *, is_open: bool) -> tuple[Alarm, ...]:
    """Return the alarms that are open, or those that are closed, oldest first."""
    rows = connection.execute(
        "select code, gateway_id, subject, detail, opened_ns, closed_ns, seen_count from alarm"
        " where (closed_ns is null) = ? order by id",
        (is_open,),
    )
    return tuple(
        Alarm(
            code=AlarmCode(code),
            gateway_id=UUID(bytes=gateway) if gateway else None,
            subject=subject,
            detail=detail,
            opened_ns=opened_ns,
            closed_ns=closed_ns,
            seen_count=seen_count,
        )
        for code, gateway, subject, detail, opened_ns, closed_ns, seen_count in rows
    )


def _bytes(gateway_id: UUID | None) -> bytes:
    return NO_GATEWAY if gateway_id is None else gateway_id.bytes
