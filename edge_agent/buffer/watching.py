"""Watches the disk beside the commits: its room, and the ballast, off the loop."""

import asyncio
from pathlib import Path

import structlog

from edge_agent.buffer.disk import Disk, Level, Space

log = structlog.get_logger()


class Watch:
    """One buffer's disk, as the writer sees it."""

    def __init__(self, path: Path) -> None:
        self._disk = Disk(path)
        self._is_spent = False
        self._told = Level.AMPLE

    @property
    def space(self) -> Space | None:
        """What was found last; None where nobody says."""
        return self._disk.space

    @property
    def has_ballast(self) -> bool:
        """Whether there is something to give up first."""
        return self._disk.has_ballast

    async def level(self) -> Level:
        """Return how scarce the room is; the ballast is made anew once there is enough.

        Without the ballast that was given up nothing may grow: its room is for what goes.
        """
        return await asyncio.to_thread(self._level)

    async def give_way(self) -> Level:
        """Give up the ballast, because a write was refused."""
        if await asyncio.to_thread(self._disk.release):
            self._is_spent = True
            log.error("ballast.released", path=str(self._disk.ballast))
        return Level.SPENT

    def _level(self) -> Level:
        space = self._disk.look()
        if not self._disk.has_ballast and self._disk.restore():
            if self._is_spent:
                log.info("ballast.restored", path=str(self._disk.ballast))
            self._is_spent = False
        level = Level.AMPLE if space is None else space.level
        if level > self._told and space is not None:
            log.warning("disk.scarce", room=level.name.lower(), free_bytes=space.free_bytes)
        self._told = level
        return Level.SPENT if self._is_spent else level
