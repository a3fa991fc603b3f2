"""Parts, thinned out once and kept in memory while they are looked at."""

from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Final
from uuid import UUID

from central_sync.evaluate.part_reader import read_part
from central_sync.pages.decimate import Series, fine_series
from central_sync.store.port import Store

KEPT_HOURS: Final = 256
"""Hours kept: the last day of ten gateways; about 0.5 MB each at 20 channels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThinnedParts:
    """The series of every channel of an hour, by the content of its part."""

    store: Store
    folder: Path
    _kept: OrderedDict[bytes, dict[int, Series]] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def hour(self, gateway_id: UUID, hour_ns: int) -> dict[int, Series]:
        """Return an hour's series by channel; nothing for an hour without a part."""
        part = self.store.part(gateway_id, hour_ns)
        if part is None:
            return {}
        # One at a time: several panels of a page ask for the same hours at once.
        with self._lock:
            found = self._kept.get(part.sha256)
            if found is None:
                found = self._read(part.path, hour_ns)
                if found is None:
                    return {}
                self._kept[part.sha256] = found
                if len(self._kept) > KEPT_HOURS:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(part.sha256)
        return found

    def _read(self, path: str, hour_ns: int) -> dict[int, Series] | None:
        """Return a part's series; None when it was replaced while we looked."""
        try:
            rows = read_part(self.folder / path)
        except FileNotFoundError:
            return None
        return fine_series(rows, hour_ns)
