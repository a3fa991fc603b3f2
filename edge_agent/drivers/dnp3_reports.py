"""Responses of an outstation as scans and deliveries of one device. No I/O.

An event is stored once. Its mark is what it says: channel, time, value and flags. Events without a
time are told apart by the octets around them, and compared only where they may have been sent
before: first in a connection, and after a confirmation that came late.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

import numpy as np

from edge_agent.clock import NS_PER_S, Instant
from edge_agent.config.device import Device
from edge_agent.drivers.base import (
    Delivery,
    DeviceBusyError,
    DeviceRefusedError,
    ImpossibleAnswerError,
    Loss,
)
from edge_agent.drivers.dnp3_link import Fragment
from edge_agent.drivers.dnp3_objects import Values, values_of
from edge_agent.drivers.dnp3_points import REFUSED, Indication, Points, Row, both, speech_of
from edge_agent.wire.readings import Scan
from edge_agent.wire.vocabulary import QualityClass, Reason

MARK_SIZE: Final = 16
NS_PER_MS: Final = 1_000_000
# Without a time, and from before the connection: it is older than its arrival.
OLD: Final = int(QualityClass.OUT_OF_SPECIFICATION | Reason.LATE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What one or more fragments say together.

    Attributes:
        values: in their order.
        fault: why the rest of them cannot be read; empty: all of them were.
        indications: of the last fragment.
        objects: the octets of all of them.
        arrival: of the last fragment.

    """

    values: Sequence[Values]
    fault: str
    indications: int
    objects: bytes
    arrival: Instant


def response_of(fragments: Sequence[Fragment]) -> Response:
    """Return what fragments say, at least one; each is read by itself (section 4.3, rule 7)."""
    read = [values_of(fragment.objects) for fragment in fragments]
    return Response(
        values=[values for found, _ in read for values in found],
        fault="; ".join(fault for _, fault in read if fault),
        indications=fragments[-1].indications,
        objects=b"".join(fragment.objects for fragment in fragments),
        arrival=fragments[-1].arrival,
    )


class Reports:
    """What an outstation says, as one of its devices."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self._points = Points(device)
        self._speech = speech_of(device)
        self._channels = tuple(self._points.channel.tolist())
        self._last_ns: int | None = None
        self._has_lost = False
        self._has_overflown = False

    def scan(self, response: Response) -> Scan:
        """Return the present values of all points, at the time of their arrival."""
        raw, status, transport = self._points.present(response.values, response.indications)
        if self._take_lost():
            transport |= np.uint32(Reason.SAMPLES_LOST)
        self._last_ns = response.arrival.utc_ns
        return Scan(
            device=self.device.name,
            at_ns=response.arrival.utc_ns,
            mono_ns=response.arrival.mono_ns,
            channel=self._points.channel,
            raw=raw,
            status=status,
            transport=transport,
        )

    def events(
        self, response: Response, *, may_be_repeated: bool, is_old: bool
    ) -> Iterator[Delivery]:
        """Yield the events in a response, one by one, and what is known to be missing.

        Args:
            response: with events; what else is in it is left out.
            may_be_repeated: whether it may have been sent before.
            is_old: whether its events may be from before the connection.

        """
        if response.fault:
            yield self.loss(response.arrival, 0, f"events cannot be read: {response.fault}")
        position = 0
        for values in response.values:
            if not values.is_event:
                continue
            for row in self._points.events(values):
                mark = self._mark(row, response.objects, position)
                position += 1
                yield Delivery(
                    scans=(self._event(row, response, is_old=is_old),),
                    mark=mark,
                    is_new=row.at_ms is None and not may_be_repeated,
                )
        self._last_ns = response.arrival.utc_ns

    def overflow(self, response: Response) -> Iterator[Delivery]:
        """Yield that events were lost, when the outstation says so and did not before (IIN2.3)."""
        is_over = bool(response.indications & Indication.EVENT_BUFFER_OVERFLOW)
        if is_over and not self._has_overflown:
            yield self.loss(response.arrival, 0, "the event buffer of the outstation overflowed")
        self._has_overflown = is_over

    def loss(self, at: Instant, count: int, detail: str) -> Delivery:
        """Return that samples are lost between the last ones and a time."""
        self._has_lost = True
        loss = Loss(
            channels=self._channels,
            from_ns=at.utc_ns if self._last_ns is None else min(self._last_ns, at.utc_ns),
            to_ns=at.utc_ns,
            count=count,
            detail=detail,
        )
        return Delivery(scans=(), losses=(loss,))

    def _event(self, row: Row, response: Response, *, is_old: bool) -> Scan:
        at_ns, doubts = self._at(row, response)
        if row.at_ms is None and is_old:
            doubts = OLD
        transport = both(row.transport, doubts)
        if self._take_lost():
            transport |= Reason.SAMPLES_LOST
        return Scan(
            device=self.device.name,
            at_ns=at_ns,
            mono_ns=response.arrival.mono_ns,
            channel=np.array([row.channel], np.uint32),
            raw=np.array([row.raw], np.int64),
            status=np.array([row.status], np.uint32),
            transport=np.array([transport], np.uint32),
        )

    def _at(self, row: Row, response: Response) -> tuple[int, int]:
        """Return the time of an event, and what is to be said against it."""
        arrival_ns = response.arrival.utc_ns
        if row.at_ms is None:
            return arrival_ns, 0
        at_ns = row.at_ms * NS_PER_MS
        has_time = not (row.is_time_doubted or response.indications & Indication.NEED_TIME)
        behind_ns = round(self._speech.time_behind_s * NS_PER_S)
        ahead_ns = round(self._speech.time_ahead_s * NS_PER_S)
        if has_time and -behind_ns <= at_ns - arrival_ns <= ahead_ns:
            return at_ns, 0
        return arrival_ns, int(Reason.DEVICE_TIME_NOT_BELIEVED)

    def _mark(self, row: Row, objects: bytes, position: int) -> bytes:
        digest = blake2b(self.device.name.encode(), digest_size=MARK_SIZE)
        if row.at_ms is None:
            digest.update(b"\0octets" + position.to_bytes(4, "big") + objects)
        else:
            said = (row.channel, row.at_ms, row.raw, row.status)
            digest.update(b"\0event" + repr(said).encode())
        return digest.digest()

    def _take_lost(self) -> bool:
        has_lost, self._has_lost = self._has_lost, False
        return has_lost


def fault_of(response: Response, name: str) -> Exception | None:
    """Return what a response means for a poll that is no answer to it; None: it is one."""
    if response.fault:
        return ImpossibleAnswerError(f"{name}: {response.fault}")
    if response.values:
        return None
    said = response.indications
    if said & Indication.ALREADY_EXECUTING:
        return DeviceBusyError(f"{name} is busy (IIN {said:04x})")
    if said & REFUSED:
        return DeviceRefusedError(f"{name} refuses class 0 (IIN {said:04x})")
    return ImpossibleAnswerError(f"{name} gave no present values")
