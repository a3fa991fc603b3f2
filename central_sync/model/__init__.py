"""What the centre's parts hand to one another: records as stored, results as computed.

Plain values without behaviour; nothing here reads a clock, a file or a socket.
"""

from central_sync.model.clock import NOTHING_AROUND, Anchor, Around
from central_sync.model.enrolment import IssuedCertificate, KeyState, Token
from central_sync.model.fleet import Alarm, AlarmCode, ChainHead, Counts, GatewayState, Hole
from central_sync.model.record import Gateway, GatewayKey, StoredBatch, StoredLine
from central_sync.model.result import DirtyHour, HourlyRevision, HourlyValue, Part

__all__ = [
    "NOTHING_AROUND",
    "Alarm",
    "AlarmCode",
    "Anchor",
    "Around",
    "ChainHead",
    "Counts",
    "DirtyHour",
    "Gateway",
    "GatewayKey",
    "GatewayState",
    "Hole",
    "HourlyRevision",
    "HourlyValue",
    "IssuedCertificate",
    "KeyState",
    "Part",
    "StoredBatch",
    "StoredLine",
    "Token",
]
