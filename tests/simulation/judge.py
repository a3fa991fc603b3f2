"""Says what is wrong at the end of a history: from bytes and rows alone, without the product.

docs/wire-format.md is its only source. It finds the lines of each chain by itself, follows every
living gateway back from its newest batch, and compares with what the centre holds and tells.
"""

from __future__ import annotations

import json
import struct
from collections import defaultdict
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

import zstandard

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

HOLDS_LOSS = 2
BEHIND, HOLE, FORK, CONTENT = "server_behind", "hole", "fork", "content"


class Lost(NamedTuple):
    """What one loss event gives up: one batch by its name or, without, readings by number."""

    chain: bytes
    first: int
    last: int
    name: bytes


class Batch(NamedTuple):
    """What the signed bytes say; `before` is the hash of the batch made before, b"" for none."""

    name: bytes
    chain: bytes
    number: int
    before: bytes
    lost: tuple[Lost, ...] = ()


class Row(NamedTuple):
    """One batch of the centre, in order of arrival."""

    name: bytes
    verdict: int
    is_branch: bool


class Alarm(NamedTuple):
    """One alarm that was ever raised; its chain as text."""

    code: str
    chain: str
    is_open: bool


@dataclass(slots=True, kw_only=True)
class Facts:
    """A history and its end."""

    made: Mapping[bytes, Batch]
    rows: Sequence[Row]
    holes: Sequence[tuple[bytes, bytes]]
    """Chain and hash of what the centre says it lacks."""
    alarms: Sequence[Alarm]
    heads: Mapping[bytes, set[bytes]]
    """Newest batch of each living gateway, and all on its disk that is what was signed."""
    given_up: set[bytes]
    """Batches whose readings a gateway gave up."""
    rotten: set[bytes]
    """Those of which nothing was left to keep."""
    poison: set[bytes]
    """Signed batches whose content is not what their headers say."""
    forks_told: bool
    """Whether a gateway was told that its line is a branch."""
    receipted: set[bytes]
    """What a gateway ever held for delivered."""
    unsent: set[bytes] = field(default_factory=set)
    """What was on a disk that was replaced or lost, before the centre had it."""
    overwritten: set[bytes] = field(default_factory=set)
    """All that was on such a disk."""
    set_back: set[bytes] = field(default_factory=set)
    """What the centre had, and lost when it was put back to a backup."""
    is_hostile: bool = False
    """Whether any machine was copied, replaced or lost, or the centre put back."""


def read(header: bytes, body: bytes) -> Batch:
    """Return what a batch says (docs/wire-format.md sections 2, 4 and 10)."""
    (number,) = struct.unpack_from("<Q", header, 48)
    (flags,) = struct.unpack_from("<H", header, 14)
    said = _events(body) if not number or flags & HOLDS_LOSS else []
    before = header[120:152]
    if not number:
        previous = said[0]["previous"]
        before = bytes.fromhex(previous["batch_hash"]) if previous else b""
    return Batch(
        name=sha256(b"\x02" + header).digest(),
        chain=header[32:48],
        number=number,
        before=before,
        lost=tuple(_lost_by(one) for one in said if one["type"] == "loss"),
    )


def _events(body: bytes) -> list[dict[str, Any]]:
    payload = zstandard.decompress(body)
    (readings,) = struct.unpack_from("<I", payload)
    return [json.loads(line) for line in payload[4 + readings + 4 :].splitlines()]


def _lost_by(event: Mapping[str, Any]) -> Lost:
    return Lost(
        chain=_uuid(event["chain"]),
        first=int(event["first_batch"]),
        last=int(event["last_batch"]),
        name=bytes.fromhex(event.get("batch_hash", "")),
    )


def _uuid(text: str) -> bytes:
    return bytes.fromhex(text.replace("-", ""))


def _told_by(facts: Facts, tellers: Iterable[bytes]) -> set[bytes]:
    """Return the batches of which signed events of these say that nothing is left."""
    return {lost.name for name in tellers for lost in facts.made[name].lost if lost.name}


def _told_lost(facts: Facts) -> set[bytes]:
    """Return the batches of which the centre was told that nothing is left."""
    good = {row.name for row in facts.rows if row.verdict != 1}
    return _told_by(facts, good & facts.made.keys())


def _told_empty(facts: Facts) -> set[bytes]:
    """Return the batches of which the centre was told that their readings are lost."""
    good = {row.name for row in facts.rows if row.verdict != 1} & facts.made.keys()
    lost = [one for name in good for one in facts.made[name].lost if not one.name]
    told = {
        batch.name
        for batch in facts.made.values()
        for one in lost
        if batch.chain == one.chain and one.first <= batch.number <= one.last
    }
    return told | _told_lost(facts)


def faults(facts: Facts) -> Iterator[str]:
    """Yield everything that is wrong, in words."""
    yield from _lost(facts)
    yield from _lines(facts)
    yield from _ends(facts)
    yield from _untold(facts)
    yield from _false_alarms(facts)


def _lost(facts: Facts) -> Iterator[str]:
    """Every batch is at the centre once, or an accident took its last copy."""
    stored = [row.name for row in facts.rows]
    if len(stored) != len(set(stored)):
        yield "twice: the centre holds a batch more than once"
    missing = set(facts.made) - set(stored)
    told = _told_lost(facts)
    expected = missing - told - _lost_with_genesis(facts, told, missing)
    for disk in facts.heads.values():
        if disk & expected:
            yield f"lost: {len(disk & expected)} batches that a gateway holds are not at the centre"
    excused = facts.unsent | (facts.set_back & (facts.receipted | facts.overwritten))
    # What tells of it may have rotted in its turn, and is told of then.
    while more := facts.rotten & _told_by(facts, {*stored, *excused}) - excused:
        excused |= more
    if missing - excused:
        yield f"lost: {len(missing - excused)} batches are nowhere, and nothing happened to them"
    if set(stored) - set(facts.made):
        yield "invented: the centre holds what no gateway made"


def _lost_with_genesis(facts: Facts, told: set[bytes], missing: set[bytes]) -> set[bytes]:
    """Return what a batch 0 continued that is told as lost: its name went with it."""
    found: set[bytes] = set()
    for name in told & facts.made.keys():
        below = b"" if facts.made[name].number else facts.made[name].before
        while below in missing and below not in found:
            found.add(below)
            below = facts.made[below].before
    return found


def main_line(batches: Iterable[Batch]) -> set[bytes]:
    """Return what of one chain is on its main line; batches in order of arrival.

    From number to number: the first that came of those that name the one before; where there is
    none before, the first of those whose own previous is not there.
    """
    at: dict[int, list[Batch]] = defaultdict(list)
    names = set()
    for batch in batches:
        at[batch.number].append(batch)
        names.add(batch.name)
    main: dict[int, bytes] = {}
    for number in sorted(at):
        below = main.get(number - 1)
        for batch in at[number]:
            is_next = batch.before == below if below else number == 0 or batch.before not in names
            if is_next:
                main[number] = batch.name
                break
    return set(main.values())


def _lines(facts: Facts) -> Iterator[str]:
    """What is told as main and as branch is so, and every fork is an alarm."""
    chains: dict[bytes, list[Batch]] = defaultdict(list)
    for batch in (facts.made[row.name] for row in facts.rows if row.name in facts.made):
        chains[batch.chain].append(batch)
    told = {row.name for row in facts.rows if not row.is_branch}
    raised = {alarm.chain for alarm in facts.alarms if alarm.code == FORK and alarm.is_open}
    for chain, batches in chains.items():
        main = main_line(batches)
        names = {batch.name for batch in batches}
        if main != told & names:
            yield f"line: {len(main ^ (told & names))} batches are told to be on the wrong line"
        is_forked = main != names
        if is_forked != (_text(chain) in raised):
            yield "silent fork" if is_forked else "false alarm: a fork where there is one line"


def _ends(facts: Facts) -> Iterator[str]:
    """Each batch has its verdict, and who lives goes on along a main line."""
    for row in facts.rows:
        allowed = {1} if row.name in facts.poison else {0, 2}
        if row.verdict not in (allowed | {3} if row.name in facts.given_up else allowed):
            yield f"verdict: {row.verdict} is not for such a batch"
    stones = {row.name for row in facts.rows if row.verdict == 3}
    if stones - _told_empty(facts) - {name for _, name in facts.holes}:
        yield "untold: readings are given up, and neither told nor wanted"
    if facts.heads.keys() & {row.name for row in facts.rows if row.is_branch}:
        yield "stuck: a living gateway goes on along a branch"


def _untold(facts: Facts) -> Iterator[str]:
    """What a living gateway had made and nobody has any more is told by the centre."""
    told, held = _told_lost(facts), {row.name for row in facts.rows}
    stored = held | told
    alarmed = {one.chain for one in facts.alarms if one.is_open and one.code in {BEHIND, HOLE}}
    lacking = {_text(chain) for chain, _ in facts.holes}
    for head in facts.heads:
        name, above = head, head
        while name:
            batch = facts.made[name]
            # What is missing is told where the batch behind it is stored.
            if name not in stored and above in stored and _text(batch.chain) not in alarmed:
                yield "untold: a gateway's past is missing at the centre without an alarm"
                break
            if not batch.number and name not in held:  # lost, and what it continued, with it
                break
            name, above = batch.before, name
    for chain in alarmed - lacking:
        yield f"not closed: an alarm for chain {chain[:8]}, which lacks nothing"
    whole = {row.name for row in facts.rows if row.verdict != 3}
    wanted = {name for _, name in facts.holes}
    if wanted & whole:
        yield "not closed: the centre wants what it has"
    stones = {row.name for row in facts.rows if row.verdict == 3}
    if wanted & (told | stones & _told_empty(facts)):
        yield "not closed: the centre wants what it was told is lost"


def _false_alarms(facts: Facts) -> Iterator[str]:
    """No accident, no alarm; and each alarm only after the accident that it is about."""
    codes = {alarm.code for alarm in facts.alarms}
    has_poison = any(row.verdict == 1 for row in facts.rows)
    if has_poison != (CONTENT in codes):
        yield "poison: an alarm for it, and it, belong together"
    codes -= {CONTENT}
    if facts.rotten:  # where a batch rotted, the centre lacks one until it hears of the loss
        codes -= {HOLE}
    if codes and not facts.is_hostile:
        yield f"false alarm: {', '.join(sorted(codes))} although nothing happened"
    if facts.forks_told and not facts.is_hostile:
        yield "false alarm: a gateway began another line although nothing happened"
    if BEHIND in codes and not facts.set_back:
        yield "false alarm: server_behind, although the centre lost nothing"
    if codes - {BEHIND, HOLE, FORK}:
        yield f"alarm: {', '.join(sorted(codes))}"


def _text(chain: bytes) -> str:
    """Return a UUID as text (RFC 4122)."""
    digits = chain.hex()
    parts = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
    return "-".join(parts)
