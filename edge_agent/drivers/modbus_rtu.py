"""A line of Modbus RTU, serial or behind a device server: no answer has the number of its request.

Whatever comes late would be taken for the answer to the next request, and everything after it for
the one before (27 of 30 values wrong, silently: pymodbus 3.16 over a pseudo terminal). So after
anything that went wrong with a unit the line is emptied, and the unit is asked for another number
of registers than before: only when the answer to that has come is it believed again.
"""

import asyncio
import termios
from contextlib import suppress
from dataclasses import replace
from typing import Final

from edge_agent.config.device import Endpoint
from edge_agent.drivers.base import (
    DeviceBusyError,
    DeviceFailureError,
    LinkClosedError,
    LinkLostError,
)
from edge_agent.drivers.blocks import BIT_TABLES, Block
from edge_agent.drivers.modbus_link import Link, RefusedBlockError
from edge_agent.drivers.rtu_timing import TurnAround, timing_of

# A line is empty when nothing has come for as long as the unit that failed may take for an answer;
# one that babbles on is given up after so many times that.
DRAIN_TIMES: Final = 5


class RtuLink(Link):
    """One line with several units, one exchange at a time."""

    is_numbered = False

    def __init__(self, endpoint: Endpoint, *, timeout_s: float) -> None:
        super().__init__(endpoint, timeout_s=timeout_s)
        self._timing = timing_of(endpoint.line)
        self._turn_arounds: dict[int, TurnAround] = {}
        # Units that failed, and how long they had to answer then.
        self._suspects: dict[int, float] = {}
        self._heard_s = 0.0

    def max_gap(self, unit_id: int) -> int:
        """Return how many unwanted registers are worth reading through, by what was learned."""
        known = self._turn_arounds.get(unit_id)
        return self._timing.max_gap(0.0 if known is None else known.seconds)

    async def open(self) -> None:
        """Open the port or the connection; `Link.open` says how it fails."""
        try:
            await super().open()
        except termios.error as error:
            said = error.args[-1]
            raise LinkClosedError(f"{self._endpoint}: {said}: the port has no such line") from error

    async def ask(self, block: Block, unit_id: int, timeout_s: float) -> bytes:
        """Return the register bytes or packed bits of a block; `Link.ask` says how it fails."""
        if unit_id in self._suspects:
            await self._resynchronise(block, unit_id, timeout_s)
        try:
            return await self._timed(block, unit_id, timeout_s)
        except (RefusedBlockError, DeviceBusyError, DeviceFailureError, LinkClosedError):
            raise
        except LinkLostError:
            self._suspects[unit_id] = timeout_s
            raise

    async def _timed(self, block: Block, unit_id: int, timeout_s: float) -> bytes:
        """Ask in a silence, and learn how long the unit takes to answer."""
        loop = asyncio.get_running_loop()
        pause_s = self._heard_s + self._timing.silence_s - loop.time()
        if pause_s > 0:
            await asyncio.sleep(pause_s)
        began_s = loop.time()
        answer = await super().ask(block, unit_id, timeout_s)
        known = self._turn_arounds.setdefault(unit_id, TurnAround(self._timing))
        known.answered(len(answer), loop.time() - began_s)
        return answer

    async def _resynchronise(self, block: Block, unit_id: int, timeout_s: float) -> None:
        """Return when the unit has answered a question that only one answer fits.

        Raises:
            LinkLostError: one of its kinds: it has not, and will be asked again at the next poll.

        """
        if self._endpoint.line is None:
            # A device server may have answers waiting; a new connection has not, or shows them.
            self._client.close()
            self._client = self._made()
            await self.open()
        await self._emptied(self._suspects[unit_id])
        with suppress(RefusedBlockError, DeviceBusyError, DeviceFailureError):
            # Such a refusal is an answer too, and no late one: the last was none.
            await self._timed(_another(block), unit_id, timeout_s)
        del self._suspects[unit_id]

    async def _emptied(self, timeout_s: float) -> None:
        """Wait until nothing has come for a while; what comes meanwhile is nobody's answer.

        Raises:
            LinkLostError: the line does not fall silent.

        """
        loop = asyncio.get_running_loop()
        since_s = loop.time()
        until_s = since_s + DRAIN_TIMES * timeout_s
        while (quiet_s := loop.time() - max(since_s, self._heard_s)) < timeout_s:
            if loop.time() > until_s:
                raise LinkClosedError(f"{self._endpoint}: the line does not fall silent")
            await asyncio.sleep(timeout_s - quiet_s)

    def _note_octets(self, is_sending: bool, octets: bytes) -> bytes:  # noqa: FBT001 - pymodbus calls it so
        if not is_sending:
            self._heard_s = asyncio.get_running_loop().time()
        return super()._note_octets(is_sending, octets)


def _another(block: Block) -> Block:
    """Return a smaller block, or a larger one where there is none, whose answer has another length.

    Sixteen bits take two octets, one bit takes one.
    """
    if block.table in BIT_TABLES:
        return replace(block, count=1 if block.count > 8 else 16)
    return replace(block, count=1 if block.count > 1 else 2)
