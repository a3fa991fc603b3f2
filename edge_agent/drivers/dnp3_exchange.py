"""Requests to one outstation, and which fragments are their answers; confirmations.

A response bears the number of its request, 0 to 15, and every fragment the next one (IEEE
1815-2012, section 4.2.2.4). Octets keep their order on a connection, so a late answer could be
taken for a later one only sixteen unanswered requests on: before that the link is given up.
"""

from collections import deque
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from edge_agent.clock import NS_PER_S, Clock, Instant
from edge_agent.drivers.dnp3_link import FIN, FIR, UNS, Fragment, Link

# Section 4.4: what is asked. No other function is in the code: nothing here can operate a device.
CONFIRM, READ, WRITE, ENABLE_UNSOLICITED, DISABLE_UNSOLICITED, DELAY_MEASURE, RECORD_TIME = (
    *(0, 1, 2),
    *(20, 21, 23, 24),
)
# Group 60, all objects (A.26): class 0, and the classes of events.
CLASS_0: Final = b"\x3c\x01\x06"
CLASSES: Final = b"\x3c\x02\x06\x3c\x03\x06\x3c\x04\x06"
# Group 50, one time (A.23): variation 1, and variation 3, the time of the request before.
TIME: Final = b"\x32\x01\x07\x01"
TIME_RECORDED: Final = b"\x32\x03\x07\x01"

PATIENCE: Final = 8
"""So many requests in a row go unanswered before the link is given up; must be below 16."""
# Fragments that were not asked for and wait; the outstation sends again what is not confirmed.
MOST_WAITING: Final = 16


class Asked(Enum):
    """What the outstation is asked for."""

    PRESENT = auto()
    EVENTS = auto()
    SILENCE = auto()
    REPORTS = auto()
    RECORD = auto()
    DELAY = auto()
    TIME = auto()


REQUESTS: Final = {
    Asked.PRESENT: (READ, CLASS_0),
    Asked.EVENTS: (READ, CLASSES),
    Asked.SILENCE: (DISABLE_UNSOLICITED, CLASSES),
    Asked.REPORTS: (ENABLE_UNSOLICITED, CLASSES),
    Asked.RECORD: (RECORD_TIME, b""),
    Asked.DELAY: (DELAY_MEASURE, b""),
}


@dataclass(slots=True, kw_only=True)
class Request:
    """A request that has not been answered whole.

    Attributes:
        asked: what for.
        sent: when.
        next_sequence: the number of the fragment that comes next.
        timeout_ns: how long it may take.
        deadline_ns: CLOCK_BOOTTIME until which it has to come.
        has_begun: whether the first fragment has come.

    """

    asked: Asked
    sent: Instant
    next_sequence: int
    timeout_ns: int
    deadline_ns: int
    has_begun: bool = False


@dataclass(kw_only=True)
class Exchange:
    """What is going on with one outstation; one request at a time.

    Attributes:
        request: the one under way.
        answers: fragments of its answer that nobody has looked at.
        unsolicited: fragments that were not asked for, and that nobody has looked at.
        has_restarted: whether the outstation said so by a report without objects.
        unanswered_count: requests in a row.

    """

    link: Link
    clock: Clock
    address: int
    master_address: int
    request: Request | None = None
    answers: deque[Fragment] = field(default_factory=deque)
    unsolicited: deque[Fragment] = field(default_factory=deque)
    has_restarted: bool = False
    unanswered_count: int = 0
    _sequence: int = 0

    def __post_init__(self) -> None:
        self.link.join(self.address, self.master_address, self._heard)

    def ask(self, asked: Asked, timeout_s: float, written: bytes = b"") -> None:
        """Send a request; what is still unread of the answer to the one before is forgotten."""
        function, objects = REQUESTS.get(asked, (WRITE, written))
        now, timeout_ns = self.clock.now(), round(timeout_s * NS_PER_S)
        self.answers.clear()
        self.request = Request(
            asked=asked,
            sent=now,
            next_sequence=self._sequence,
            timeout_ns=timeout_ns,
            deadline_ns=now.mono_ns + timeout_ns,
        )
        self.link.send(self.address, bytes((FIR | FIN | self._sequence, function)) + objects)
        self._sequence = (self._sequence + 1) % 16

    def confirm(self, fragment: Fragment) -> None:
        """Confirm a fragment, if the outstation waits for that: it may forget what is in it."""
        if fragment.wants_confirmation:
            control = FIR | FIN | fragment.control & UNS | fragment.sequence
            self.link.send(self.address, bytes((control, CONFIRM)))

    def prolong(self) -> None:
        """Give the request under way its whole time again."""
        if self.request is not None:
            self.request.deadline_ns = self.clock.now().mono_ns + self.request.timeout_ns

    def forget(self) -> None:
        """Give the request under way up: the outstation keeps what it was not confirmed."""
        self.request = None
        self.answers.clear()

    def next_answer(self) -> Fragment | None:
        """Return the next fragment of the answer; after the last one the request is over."""
        if not self.answers:
            return None
        fragment = self.answers.popleft()
        self.unanswered_count = 0
        if fragment.is_final:
            self.request = None
        return fragment

    def expired(self) -> Request | None:
        """Return the request under way if its time is over, and forget it."""
        request = self.request
        if request is None or self.answers or self.clock.now().mono_ns < request.deadline_ns:
            return None
        self.request = None
        self.unanswered_count += 1
        if self.unanswered_count >= PATIENCE:
            self.link.cut(f"outstation {self.address} left {PATIENCE} requests unanswered")
        return request

    def _heard(self, fragment: Fragment) -> None:
        if fragment.is_unsolicited:
            self._reported(fragment)
            return
        request = self.request
        # Fragments that do not fit are of a request that was given up.
        if (
            request is not None
            and fragment.sequence == request.next_sequence
            and fragment.is_first is not request.has_begun
        ):
            request.has_begun = True
            request.next_sequence = (fragment.sequence + 1) % 16
            self.answers.append(fragment)

    def _reported(self, fragment: Fragment) -> None:
        if not fragment.objects:
            # Nothing is in it that could be lost: the outstation says that it has started.
            self.has_restarted = True
            self.confirm(fragment)
            return
        last = self.unsolicited[-1] if self.unsolicited else None
        if last is not None and (last.control, last.objects) == (
            fragment.control,
            fragment.objects,
        ):
            return
        if len(self.unsolicited) < MOST_WAITING:
            self.unsolicited.append(fragment)
