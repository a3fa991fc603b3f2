"""Signing keys that follow one another, inside the accept transaction."""

import sqlite3
from uuid import UUID

from central_sync.model import AlarmCode
from central_sync.store.admission import Rotation, Warned
from central_sync.store.embedded.alarms import raise_alarm
from central_sync.store.embedded.enrolment import add_key


def follow(
    connection: sqlite3.Connection, gateway_id: UUID, rotation: Rotation, *, now_ns: int
) -> None:
    """Register the key that a signed event brings, or raise an alarm about it.

    The old key stays: batches under it may still be on their way. Who has lost it revokes it.
    """
    fault = rotation.fault
    if rotation.public_key is not None:
        try:
            add_key(connection, gateway_id, rotation.public_key, now_ns=now_ns)
        except ValueError as refused:
            fault = str(refused)
    if fault:
        warned = Warned(code=AlarmCode.KEY, subject="rotation", detail=f"key not changed: {fault}")
        raise_alarm(connection, warned, gateway_id=gateway_id, now_ns=now_ns)
