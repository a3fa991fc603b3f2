"""The store in one SQLite file in the state folder: the default, for one service process."""

from pathlib import Path

from central_sync.store.admission import Admit, Sign
from central_sync.store.embedded.admission import Admissions
from central_sync.store.embedded.archive import ArchiveTables
from central_sync.store.embedded.clocks import ClockTables
from central_sync.store.embedded.database import Database
from central_sync.store.embedded.enrolment import EnrolmentTables
from central_sync.store.embedded.fleet import FleetTables
from central_sync.store.embedded.ledger import LedgerTables
from central_sync.store.embedded.log import LogTables
from central_sync.store.embedded.record import RecordTables
from central_sync.store.embedded.registry import RegistryTables
from central_sync.store.port import NowNs
from central_sync.store.segments import SegmentFolder

__all__ = ["EmbeddedStore"]


class EmbeddedStore(
    RegistryTables,
    EnrolmentTables,
    RecordTables,
    Admissions,
    LedgerTables,
    ClockTables,
    FleetTables,
    LogTables,
    ArchiveTables,
):
    """The store port over one SQLite file, which must have been migrated, and `segments` beside."""

    def __init__(self, path: Path, *, admit: Admit, sign: Sign, now_ns: NowNs) -> None:
        self._db = Database(path)
        self._segments = SegmentFolder(path.parent / "segments")
        self._admit = admit
        self._sign = sign
        self._now_ns = now_ns

    def close(self) -> None:
        """Let go of the file; nothing may be called afterwards."""
        self._db.close()
