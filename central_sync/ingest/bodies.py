"""Which bodies of a request are read, and when: while the frames behind them are still verified.

Bodies are read by other processes (`ingest.decoder`), so a long request has two cores at work. In
the order of the frames, a few at a time, and only those on which a decision depends.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from time import monotonic
from typing import Final, Self
from uuid import UUID

from central_sync.ingest.admit import must_read
from central_sync.ingest.decode import kept_body
from central_sync.ingest.decoder import Asked, ReadBodies
from central_sync.ingest.rotation import rotation_of
from central_sync.store.admission import Body, Candidate, Contents, Known, Sight, Submission
from central_sync.store.port import Store
from edge_agent.wire.frame import FrameFlag
from edge_agent.wire.header import MAX_PAYLOAD
from edge_agent.wire.vocabulary import Verdict

# Small bodies can hold much work: one request does not keep a thread longer than this and one body.
READING_AT_MOST_S: Final = 5.0
# So many bodies go to a decoder together: a request of a minute's batches, or of five.
READ_AT_ONCE: Final = 32


class Bodies:
    """The candidates of one request; on the way out of its block nothing is being read any more."""

    def __init__(self, gateway_id: UUID, store: Store, read_bodies: ReadBodies) -> None:
        self._gateway_id = gateway_id
        self._store = store
        self._read_bodies = read_bodies
        self._candidates: list[Candidate] = []
        self._looked_at = 0
        self._is_last_wanted = False
        self._reads: list[Future[None]] = []
        self._reader: ThreadPoolExecutor | None = None
        self._begun_s: float | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._reader is not None:
            self._reader.shutdown(cancel_futures=True)

    @property
    def last(self) -> Candidate | None:
        """The candidate that was added last, its body perhaps not read yet."""
        return self._candidates[-1] if self._candidates else None

    def add(self, candidate: Candidate) -> None:
        """Take the next candidate of the request; what is before it may be read from now on."""
        if len(self._candidates) - self._looked_at == READ_AT_ONCE:
            # One thread more, for a backlog alone: what a minute brings is read in this one.
            self._reader = self._reader or ThreadPoolExecutor(1, thread_name_prefix="reading")
            reader = self._reader
            self._reads += [reader.submit(self._read, group) for group in self._next_groups()]
        self._candidates.append(candidate)

    def candidates(self) -> tuple[Candidate, ...]:
        """Return all candidates, with those bodies read on which a decision depends.

        What cannot be read in time stays unread: the gateway sends it again.
        """
        rest = list(self._next_groups())
        for read in self._reads:
            read.result()
        for group in rest:
            self._read(group)
        return tuple(self._candidates)

    def _read(self, group: Sequence[int]) -> None:
        """Read the bodies at these places, unless the request has taken too long already."""
        if self._begun_s is None:
            self._begun_s = monotonic()
        elif monotonic() - self._begun_s >= READING_AT_MOST_S:
            return
        asked = [
            Asked(header=one.header, body=one.body_bytes, flags=one.flags)
            for one in (self._candidates[place] for place in group)
        ]
        for place, body in zip(group, self._read_bodies(asked), strict=True):
            self._candidates[place] = _with_body(self._candidates[place], body)

    def _next_groups(self) -> Iterator[list[int]]:
        """Yield what is read at once of those that were not looked at: by places."""
        start, self._looked_at = self._looked_at, len(self._candidates)
        fresh = self._candidates[start:]
        if not fresh:
            return
        sights = self._store.sight(Submission(gateway_id=self._gateway_id, candidates=tuple(fresh)))
        wanted: list[int] = []
        before = self._candidates[start - 1] if start else None
        for place, (candidate, seen) in enumerate(zip(fresh, sights, strict=True), start):
            sibling = before if self._is_last_wanted else None
            self._is_last_wanted = must_read(candidate, _with_sibling(seen, candidate, sibling))
            if self._is_last_wanted:
                wanted.append(place)
            before = candidate
        yield from _groups(wanted, self._candidates)


def _groups(places: Sequence[int], candidates: Sequence[Candidate]) -> Iterator[list[int]]:
    """Yield what is read at once: a few small bodies, or one that is large."""
    group: list[int] = []
    size_bytes = 0
    for place in places:
        payload_bytes = candidates[place].header.payload_len
        if group and (len(group) >= READ_AT_ONCE or size_bytes + payload_bytes > MAX_PAYLOAD):
            yield group
            group, size_bytes = [], 0
        group.append(place)
        size_bytes += payload_bytes
    if group:
        yield group


def _with_body(candidate: Candidate, body: Body) -> Candidate:
    kept = candidate.body_bytes
    if isinstance(body, Contents) and body.rotation is not None:
        body = replace(body, rotation=rotation_of(candidate))  # a decoder may be out of its mind
    if isinstance(body, Contents) and FrameFlag.HEADSTONE not in candidate.flags:
        kept = kept_body(candidate.header, kept)
    return replace(candidate, body=body, body_bytes=kept)


def _with_sibling(sight: Sight, candidate: Candidate, sibling: Candidate | None) -> Sight:
    """Return the sight as it will be when the frame before it in the request is stored.

    `sibling` is that frame if its body is read, else None.
    """
    if sibling is None or sibling.batch_hash != candidate.header.prev_batch_hash:
        return sight
    before = Known(
        header=sibling.header,
        batch_hash=sibling.batch_hash,
        verdict=Verdict.ACCEPTED,
        receipt=b"",
    )
    return replace(sight, before=before)
