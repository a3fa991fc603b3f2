"""Which batches of salvaged chains are nowhere, by what the buffer holds and what it names."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Self
from uuid import UUID

from edge_agent.buffer.ledger import Ledger
from edge_agent.buffer.losses import Known, Loss, holes, losses
from edge_agent.buffer.remains import Sighted
from edge_agent.buffer.retention import WINDOW, Span, is_within, united
from edge_agent.buffer.writing import Writer
from edge_agent.wire.batch import open_body
from edge_agent.wire.canonical import JsonValue
from edge_agent.wire.events import CONTINUE, parse_event
from edge_agent.wire.frame import BatchFrame, FrameFlag
from edge_agent.wire.header import Header
from edge_agent.wire.headstone import open_headstone
from edge_agent.wire.refusal import RefusedError
from edge_agent.wire.vocabulary import BatchFlag

# Nothing is known of the batches behind the last one of a chain, nor whether there were any.
UNKNOWN_END: Final = "what followed in the damaged storage is not known"


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """The last batch of a chain, as the beginning of another names it.

    Attributes:
        batch_no: its number; -1 where none is named.
        at_ns: when the other chain began, UTC ns.
        is_sure: whether there was none behind it. What a start found in damaged files is not.

    """

    batch_no: int
    at_ns: int
    is_sure: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """One chain.

    Attributes:
        chain_id: its id.
        present: numbers that are held, or have a receipt.
        last_no: the last number known to have existed; -1 where none is.
        known: what headers tell of batches beside the holes, the last one held among them.
        begin_ns: nothing of it was taken before, UTC ns; 0 where nothing older is known.
        end_ns: when another chain took its place, UTC ns.
        is_named: whether that chain says so; else it is the first of the present ones.
        is_ended: whether it is sure that nothing followed the last number.

    """

    chain_id: UUID
    present: tuple[Span, ...]
    last_no: int
    known: tuple[Known, ...]
    begin_ns: int = 0
    end_ns: int
    is_named: bool
    is_ended: bool

    @property
    def holes(self) -> tuple[Span, ...]:
        """The numbers that are nowhere."""
        return holes(self.present, self.last_no)

    @property
    def lost_count(self) -> int:
        """How many numbers that are at most; holes told as one count whole."""
        return sum(hole.last - hole.first + 1 for hole in self.holes)

    def seen(self, sighted: Mapping[tuple[UUID, int], Sighted]) -> Self:
        """Return the same with what damaged batches still say in their headers."""
        own = [one for (chain_id, _), one in sighted.items() if chain_id == self.chain_id]
        more = [
            Known(
                batch_no=one.batch_no,
                first_seq=one.first_seq,
                next_seq=one.next_seq,
                wall_ns=one.wall_ns,
            )
            for one in own
        ]
        last_no = max([self.last_no, *(one.batch_no for one in own)])
        is_ended = self.is_ended and last_no == self.last_no
        return replace(self, known=(*self.known, *more), last_no=last_no, is_ended=is_ended)

    def losses(self) -> Iterator[Loss]:
        """Yield what must be told: each hole, and that the end is not known where it is not."""
        yield from losses(
            self.chain_id, self.holes, self.known, begin_ns=self.begin_ns, now_ns=self.end_ns
        )
        if self.is_ended:
            return
        # The last number may be known by its receipt alone: then an older header must do.
        last = max(self.known, key=lambda one: one.batch_no, default=None)
        next_seq = 0 if last is None else last.next_seq
        yield Loss(
            chain_id=self.chain_id,
            numbers=Span(first=self.last_no + 1, last=self.last_no + 1),
            first_seq=next_seq,
            next_seq=next_seq,
            from_ns=min(self.begin_ns if last is None else last.wall_ns, self.end_ns),
            to_ns=self.end_ns,
            reason=UNKNOWN_END,
        )


def in_order(missing: Sequence[Missing]) -> list[Missing]:
    """Return the same, each with the time of the newest batch known before its first."""
    found: list[Missing] = []
    for one in missing:
        unseen_ns = one.end_ns if one.is_named else 0
        first_ns = min((known.wall_ns for known in one.known), default=unseen_ns)
        before = [
            known.wall_ns
            for other in missing
            if other.chain_id != one.chain_id
            for known in other.known
            if known.wall_ns < first_ns
        ]
        found.append(replace(one, begin_ns=max(before, default=0)))
    return found


def present_of(ledger: Ledger) -> Callable[[UUID, int], bool]:
    """Return what says whether a batch is held, or has a receipt, as of now."""
    present = {chain_id: _present(ledger, chain_id) for chain_id in ledger.starts}
    return lambda chain_id, number: is_within(present.get(chain_id, ()), number)


def _present(ledger: Ledger, chain_id: UUID) -> tuple[Span, ...]:
    """Return the numbers of a salvaged chain that are held, or have a receipt."""
    start = ledger.start_of(chain_id)
    if start is None or start > 0:
        return ()
    there = [*ledger.salvaged, *(Span(first=run.first, last=run.last) for run in ledger.runs)]
    return united(
        Span(first=span.first - start, last=span.last - start)
        for span in there
        if start <= span.first < start + WINDOW
    )


async def missing_of(writer: Writer, chains: Iterable[UUID]) -> list[Missing]:
    """Return what is missing of these chains, and of those that the present ones continue."""
    named, end_ns = await _named(writer)
    starts = writer.ledger.starts
    own = {chain for chain, start in starts.items() if start > 0}
    newest = {chain for chain in named if chain not in own and starts.get(chain) is None}
    return [
        await _missing(
            writer, chain, named.get(chain, Named(batch_no=-1, at_ns=end_ns, is_sure=False))
        )
        for chain in sorted({*chains, *newest} - own)
    ]


async def _missing(writer: Writer, chain_id: UUID, named: Named) -> Missing:
    ledger = writer.ledger
    start = ledger.start_of(chain_id)
    present = _present(ledger, chain_id)
    last_no = max([named.batch_no, *(span.last for span in present)])
    beside = {last_no}
    for hole in holes(present, last_no):
        beside |= {hole.first - 1, hole.last + 1}
    headers: list[Header] = []
    if start is not None:
        window = Span(first=start, last=start + WINDOW - 1)
        beside |= {held.batch_no for _, held in await writer.table.newest_held(window)}
        headers = await _headers(writer, start, sorted(beside))
    is_last = any(
        header.batch_no == last_no and BatchFlag.LAST_BEFORE_STOP in header.flags
        for header in headers
    )
    return Missing(
        chain_id=chain_id,
        present=present,
        last_no=last_no,
        known=tuple(map(_known, headers)),
        end_ns=named.at_ns,
        is_named=named.batch_no >= 0,
        is_ended=is_last or (named.is_sure and named.batch_no == last_no),
    )


async def _headers(writer: Writer, start: int, numbers: Sequence[int]) -> list[Header]:
    """Return the headers of a chain's batches of these numbers, as far as they are held."""
    frames = [await writer.table.frame(start + number) for number in numbers if number >= 0]
    return [Header.unpack(frame.header_bytes) for frame in frames if frame is not None]


async def _named(writer: Writer) -> tuple[dict[UUID, Named], int]:
    """Return the last batches that chains of this buffer say they continue.

    Returns with it when the first of the present chains began, UTC ns; 0 where that is gone.
    """
    found: dict[UUID, Named] = {}
    began_ns: list[int] = []
    for start in writer.ledger.starts.values():
        frame = await writer.table.frame(start)
        told = None if frame is None else _continued(frame)
        if told is None:
            continue
        header, fields = told
        if start > 0:
            began_ns.append(header.wall_ns)
        previous = fields.get("previous")
        if isinstance(previous, Mapping):
            found[UUID(str(previous["chain"]))] = Named(
                batch_no=int(str(previous["batch_no"])),
                at_ns=header.wall_ns,
                is_sure=fields["reason"] != "quarantine",
            )
    return found, min(began_ns, default=0)


def _continued(frame: BatchFrame) -> tuple[Header, Mapping[str, JsonValue]] | None:
    """Return header and `continue` of the first batch of a chain; None if it is damaged."""
    try:
        header = Header.unpack(frame.header_bytes)
        is_stone = FrameFlag.HEADSTONE in frame.flags
        opened = open_headstone(header, frame.body) if is_stone else open_body(header, frame.body)
        event = parse_event(opened.event_lines[0])
    except (RefusedError, IndexError):
        return None
    return (header, event.fields) if event.type == CONTINUE else None


def _known(header: Header) -> Known:
    return Known(
        batch_no=header.batch_no,
        first_seq=header.first_seq,
        next_seq=header.next_seq,
        wall_ns=header.wall_ns,
    )
