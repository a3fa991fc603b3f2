"""Carries out what `protocol` decides: looks into the buffer, sends, settles, waits.

It decides nothing about batches itself. It never polls: it waits for the buffer to change or for
the next upload to be due. Losing it at any await loses nothing, because a batch is settled only
after its receipt was verified.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, Never

import structlog

from edge_agent.clock import NS_PER_S, UNSET
from edge_agent.uplink.answer import parse_answer
from edge_agent.uplink.documents import Documents
from edge_agent.uplink.exchange import Exchange, NoAnswerError, open_exchange
from edge_agent.uplink.held import HeldT, Holding
from edge_agent.uplink.joining import joined
from edge_agent.uplink.own_copy import is_intact
from edge_agent.uplink.policy import back_off_s, hold_s, retry_after_s
from edge_agent.uplink.protocol import after, examined, gave_up, interval_began
from edge_agent.uplink.request import LIVE_FRAMES, is_finished, need, next_request
from edge_agent.uplink.skew import skew_ns
from edge_agent.uplink.state import LARGEST_FRAMES, Pause, State
from edge_agent.uplink.tally import Tally, UplinkStatus
from edge_agent.wire.frame import MEDIA_TYPE, FrameFlag, encode_batch, encode_receipt

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from edge_agent.clock import Clock
    from edge_agent.config.model import CentreSettings
    from edge_agent.uplink.exchange import Reply
    from edge_agent.uplink.held import Source
    from edge_agent.uplink.state import Outcome, Request, Trust
    from edge_agent.wire.signing import VerifyingKey
    from edge_agent.wire.vocabulary import Hash

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who uploads, and whose receipts count."""

    trust: Trust
    own_key: VerifyingKey


@asynccontextmanager
async def open_uplink(
    source: Source[HeldT],
    settings: CentreSettings,
    identity: Identity,
    *,
    clock: Clock,
    fraction: Callable[[], float],
) -> AsyncIterator[Uplink[HeldT]]:
    """Open the uplink; nothing is sent before `upload` or `flush` runs.

    Args:
        source: the buffer.
        settings: of the centre.
        identity: gateway id, own public key and receipt keys.
        clock: the agent's clock.
        fraction: random numbers in [0, 1), for jitter.

    Raises:
        OperatorError: the CA file cannot be read, or holds no certificate.

    """
    is_time_unknown = clock.trust().state == UNSET
    async with open_exchange(settings, is_time_unknown=is_time_unknown) as exchange:
        yield Uplink(source, settings, identity, exchange=exchange, clock=clock, fraction=fraction)


class Uplink(Generic[HeldT]):
    """Brings what the buffer holds to the centre."""

    def __init__(
        self,
        source: Source[HeldT],
        settings: CentreSettings,
        identity: Identity,
        *,
        exchange: Exchange,
        clock: Clock,
        fraction: Callable[[], float],
    ) -> None:
        self._source = source
        self._settings = settings
        self._trust = identity.trust
        self._own_key = identity.own_key
        self._exchange = exchange
        self._clock = clock
        self._fraction = fraction
        self._state = State(proof=source.newest_receipt())
        self._path = f"/v1/gateways/{identity.trust.gateway_id}/batches"
        self._tally = Tally()
        self._documents = Documents(source, exchange)
        self._interval_ns = round(settings.upload_interval_s * NS_PER_S)
        self._due_ns = clock.now().mono_ns
        self._readings_left = 0
        self._retry_after: str | None = None

    async def upload(self) -> Never:
        """Upload until cancelled: at every interval, or as soon as enough readings wait."""
        while True:
            await self._due()
            await self._drain()

    async def flush(self, limit_s: float) -> bool:
        """Send what can be sent before a stop, and return whether everything was receipted.

        It takes no longer than `limit_s`, whatever the centre does, and does not wait out a
        back-off. Call it only when `upload` no longer runs.
        """
        self._begin_interval()
        try:
            async with asyncio.timeout(limit_s):
                while (pause := await self._step()) is Pause.NONE:
                    pass
        except TimeoutError:
            return False
        return pause is None and not self._source.backlog().unreceipted_count

    def show_new_certificate(self) -> None:
        """Show the centre our certificate as its file is now; see `Exchange`."""
        self._exchange.show_new_certificate()

    def status(self) -> UplinkStatus:
        """Return how the uplink is doing."""
        return self._tally.status(self._state)

    async def _due(self) -> None:
        """Return when an upload is due: something waits, and it is time, or it is enough."""
        while True:
            backlog = self._source.backlog()
            now_ns = self._clock.now().mono_ns
            enough = self._settings.upload_readings
            is_enough = enough is not None and backlog.readings - self._readings_left >= enough
            if backlog.unreceipted_count and (now_ns >= self._due_ns or is_enough):
                self._due_ns = now_ns + self._interval_ns
                return
            if not backlog.unreceipted_count:
                await self._source.changed()
            elif enough is None:
                await self._clock.sleep_until(self._due_ns)
            else:
                await self._changed_or_due()

    async def _changed_or_due(self) -> None:
        async with asyncio.TaskGroup() as either:
            change = either.create_task(self._source.changed())
            due = either.create_task(self._clock.sleep_until(self._due_ns))
            change.add_done_callback(lambda _: due.cancel())
            due.add_done_callback(lambda _: change.cancel())

    async def _drain(self) -> None:
        """Send until nothing is left, as the centre and the line allow."""
        self._begin_interval()
        while (pause := await self._step()) is not None:
            await self._pause(pause)
            now_ns = self._clock.now().mono_ns
            if now_ns >= self._due_ns:
                self._due_ns = now_ns + self._interval_ns
                self._begin_interval()
        self._readings_left = self._source.backlog().readings

    def _begin_interval(self) -> None:
        self._state = interval_began(self._state)
        self._documents.interval_began()

    async def _step(self) -> Pause | None:
        """Send one request and carry out what its answer means; None when all is done."""
        holding, found = await self._holding()
        self._state, request = next_request(self._state, holding)
        if request is None:
            return None
        sent_ns = self._clock.now().utc_ns
        reply = await self._reply(request, found)
        answered_ns = self._clock.now().utc_ns
        answer = None if reply is None else parse_answer(reply.status, reply.body)
        # Up to 256 signatures are verified: too long for the loop on a small gateway.
        outcome = await asyncio.to_thread(after, self._state, request, answer, self._trust)
        if outcome.examine is not None:
            blamed = found[outcome.examine.batch_hash]
            outcome = examined(outcome, is_good=await self._is_good(blamed))
            if outcome.give_up is not None and await self._source.give_up([blamed]):
                outcome = gave_up(outcome)
        if outcome.settle:
            await self._source.settle(outcome.settle)
        self._state = outcome.state
        utc_ns = self._clock.now().utc_ns
        if answer is not None:
            self._tally.answered(answer, outcome, utc_ns=utc_ns)
        if reply is not None:
            received_ns = [receipt.received_ns for receipt in outcome.settle]
            self._tally.compared(
                skew_ns(sent_ns, answered_ns, date=reply.date, received_ns=received_ns)
            )
        self._tally.settled(request, outcome.settle, utc_ns=utc_ns)
        self._tally.alarmed(outcome.state)
        await self._follow_up(outcome)
        self._retry_after = None if reply is None else reply.retry_after
        return None if is_finished(holding, request, outcome) else outcome.pause

    async def _holding(self) -> tuple[Holding, dict[Hash, HeldT]]:
        """Return what the next request must see of the buffer, and the same by hash."""
        wish = need(self._state)
        oldest = await self._source.unreceipted(LARGEST_FRAMES + len(self._state.withheld))
        newest = await self._source.newest(LIVE_FRAMES) if self._state.is_live_due else ()
        rewound: tuple[HeldT, ...] = ()
        if wish.rewind is not None:
            place = wish.rewind
            rewound = await self._source.held_from(place.chain_id, place.batch_no, LARGEST_FRAMES)
        again: list[HeldT] = []
        for wanted in wish.again:
            chain_id, batch_no = wanted.place.chain_id, wanted.place.batch_no
            found = await self._source.held_from(chain_id, batch_no, 1)
            held = [one for one in found if one.batch_hash == wanted.batch_hash]
            if not held and wanted.batch_hash not in wish.sought:
                held = [*await self._source.held_below(chain_id, batch_no)]
            again += [one for one in held if one not in again]
        holding = Holding(
            count=self._source.backlog().unreceipted_count,
            oldest=oldest,
            newest=newest,
            rewound=rewound,
            again=tuple(again),
        )
        return holding, {one.batch_hash: one for one in (*oldest, *newest, *rewound, *again)}

    async def _reply(self, request: Request, found: Mapping[Hash, HeldT]) -> Reply | None:
        """Send the batches of a request as they are on disk; None when no answer came."""
        frames = await self._source.frames(found[part.held.batch_hash] for part in request.parts)
        flags = [part.flags for part in request.parts]
        stones = [FrameFlag.HEADSTONE in frame.flags for frame in frames]
        if stones != [part.held.is_headstone for part in request.parts]:
            # One is gone, or has lost its readings, since it was chosen.
            return None
        if not self._state.is_plain:
            frames = await asyncio.to_thread(joined, frames)
        body = b"".join(
            encode_batch(replace(frame, flags=frame.flags | flag))
            for frame, flag in zip(frames, flags, strict=True)
        )
        if request.proof is not None:
            body += encode_receipt(request.proof.pack())
        try:
            return await self._exchange.send(
                "POST", self._path, body, media_type=MEDIA_TYPE, is_plain=self._state.is_plain
            )
        except NoAnswerError as fault:
            self._tally.unanswered(str(fault))
            return None

    async def _is_good(self, held: HeldT) -> bool:
        frames = await self._source.frames([held])
        return len(frames) == 1 and await asyncio.to_thread(
            is_intact, frames[0], held.batch_hash, self._own_key
        )

    async def _follow_up(self, outcome: Outcome) -> None:
        """Begin a new chain and bring the documents that an answer asks for."""
        head = self._source.head
        if head and head.header.chain_id in outcome.forked:
            await self._source.begin_chain("fork")
        if not outcome.settle:
            return
        try:
            await self._documents.deliver(outcome.wanted_bundles, is_plain=self._state.is_plain)
        except NoAnswerError as fault:
            self._tally.unanswered(str(fault))

    async def _pause(self, pause: Pause) -> None:
        """Wait as long as the last answer makes us, or its absence."""
        if pause is Pause.NONE:
            return
        now = self._clock.now()
        asked_s = retry_after_s(self._retry_after, utc_s=now.utc_ns / NS_PER_S)
        if pause is Pause.HOLD:
            wait_s = max(asked_s, hold_s(fraction=self._fraction()))
        else:
            wait_s = asked_s + back_off_s(self._state.failures, fraction=self._fraction())
        wait_ns = round(wait_s * NS_PER_S)
        self._tally.next_try_ns = now.utc_ns + wait_ns
        await self._clock.sleep_until(now.mono_ns + wait_ns)
        self._tally.next_try_ns = None
