"""The words in which ingest and store speak about a frame: what it is, what is known, what to do.

Values only. The decision itself (docs/wire-format.md section 12) is `central_sync.ingest.admit`;
the store asks for it inside its transaction, so that it always holds for what is stored.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias
from uuid import UUID

from central_sync.model import AlarmCode, Hole
from edge_agent.wire.frame import FrameFlag
from edge_agent.wire.header import Header
from edge_agent.wire.receipt import BatchPlace
from edge_agent.wire.refusal import Code
from edge_agent.wire.vocabulary import Hash, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Previous:
    """The batch that a genesis says its gateway had made durable before."""

    chain_id: UUID
    batch_no: int
    batch_hash: Hash


@dataclass(frozen=True, slots=True, kw_only=True)
class LostBatch:
    """The name of a batch that will never come, and of the one before it."""

    batch_hash: Hash
    prev_batch_hash: Hash


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """Numbers of a chain (both inclusive) of which a signed event says that something is lost.

    `named`: it is this one batch, whole; None: whichever have the numbers. `leaves_headstones`:
    only their readings are lost.
    """

    chain_id: UUID
    first_batch: int
    last_batch: int
    named: LostBatch | None = None
    leaves_headstones: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """A signed event that names another signing key; `fault` says why it is not believed.

    `public_key` is None where it is not believed: 32 bytes otherwise.
    """

    public_key: bytes | None
    fault: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """A body that is what was signed and obeys the format, reduced to what the store keeps of it.

    `quarters`: numbers of UTC quarter-hours since 1970 that hold a row's `at`, rising;
    `has_strays`: rows bear other times, too, for which no hour is computed; `mono_min`, `mono_max`:
    of its rows, None where there are none; `has_step`: its clock was set, an event says.
    """

    at_min: int | None
    at_max: int | None
    quarters: tuple[int, ...]
    previous: Previous | None
    losses: tuple[Loss, ...]
    has_strays: bool = False
    mono_min: int | None = None
    mono_max: int | None = None
    has_step: bool = False
    rotation: Rotation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Damaged:
    """A body that is not what was signed: nothing can be kept of it."""

    code: Code
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfit:
    """A body that is what was signed, but breaks the format: evidence."""

    code: Code
    detail: str


@dataclass(frozen=True, slots=True)
class Unread:
    """A body nobody needed to look into, because the frame is known or cannot be placed."""


Body: TypeAlias = Contents | Damaged | Unfit | Unread


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One frame whose header, key and signature are good; `index` is its place in the request."""

    index: int
    flags: FrameFlag
    header: Header
    header_bytes: bytes
    signature: bytes
    body_bytes: bytes
    batch_hash: Hash
    body: Body


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a frame was not stored, as the answer says it (docs/wire-format.md section 12).

    `check` is the failing check of section 14; `chain_id` and `expected` stand in a gap only.
    """

    status: int
    code: str
    frame: int | None
    detail: str
    check: Code | None = None
    chain_id: UUID | None = None
    expected: int | None = None
    retry_after_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One request's frames in order, up to the first that could not even be a candidate.

    `presented`: receipts under our own key that came along; `refusal`: why the frames end here;
    `rejected`: the frame they end at, if its key or signature was wrong.
    """

    gateway_id: UUID
    candidates: tuple[Candidate, ...]
    presented: tuple[Previous, ...] = ()
    refusal: Refusal | None = None
    rejected: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A stored batch as the decision sees it; `is_branch`: it is not on the main line."""

    header: Header
    batch_hash: Hash
    verdict: Verdict
    receipt: bytes
    is_branch: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A batch at a number of a chain; `is_behind`: the batch that it names is stored."""

    batch_hash: Hash
    prev_batch_hash: Hash
    is_behind: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What is stored around one candidate.

    `same`: the candidate itself; `before`: the batch with the hash it names (for a genesis: the
    one its continue event names); `after`: the batches that name it, and come next in its chain;
    `beside`: the other batches at its number, the one stored first first; `main_before`: the main
    line's batch one number lower; `head_no`: highest number on the main line of the chain in which
    `before` is looked for, None if it is empty.
    """

    same: Known | None = None
    before: Known | None = None
    after: tuple[Known, ...] = ()
    beside: tuple[Standing, ...] = ()
    main_before: Hash | None = None
    head_no: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """An alarm that goes with a decision; `subject` tells apart alarms of one code."""

    code: AlarmCode
    subject: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """The batch is stored already: answer with the receipt it got then."""

    receipt: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """Store the batch; `hole` is the missing batch it follows; `completes` a stored headstone.

    `is_branch`: it stands beside the main line of its chain.
    """

    verdict: Verdict
    hole: Hole | None = None
    alarms: tuple[Warned, ...] = ()
    completes: bool = False
    is_branch: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """Do not store the batch, and look at no later frame of the request."""

    refusal: Refusal
    alarms: tuple[Warned, ...] = ()


Decision: TypeAlias = Repeat | Keep | Refuse
Admit: TypeAlias = Callable[[Candidate, Sight], Decision]
Sign: TypeAlias = Callable[[BatchPlace, Verdict, int, int], bytes]
"""Given what, the verdict, received_ns and log_index: the receipt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the gateway is told: one receipt per stored frame, and what the centre lacks.

    `verdicts` and `new_readings` count only what was stored by this submission, not repeats.
    """

    receipts: tuple[bytes, ...] = ()
    head: Previous | None = None
    wanted: tuple[Hole, ...] = ()
    wanted_bundles: tuple[Hash, ...] = ()
    refusal: Refusal | None = None
    verdicts: tuple[Verdict, ...] = ()
    new_readings: int = 0
