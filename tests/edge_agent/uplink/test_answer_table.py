"""What every answer of docs/wire-format.md section 12 means for the gateway, one by one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from edge_agent.uplink.answer import Answer
from edge_agent.uplink.protocol import after
from edge_agent.uplink.state import Alarm, Pause, State
from edge_agent.wire.signing import SigningKey
from edge_agent.wire.vocabulary import Hash, Verdict
from tests.edge_agent.uplink.model_centre import ModelCentre
from tests.edge_agent.uplink.model_gateway import GATEWAY, TRUST, arriving
from tests.edge_agent.uplink.samples import ALL, REQUEST, answer, receipt

if TYPE_CHECKING:
    from tests.edge_agent.uplink.model_centre import Arriving

FORGER = SigningKey.from_seed(b"f" * 32)

PORTAL = Answer(status=200, is_readable=False)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One answer and what must follow."""

    answer: Answer | None
    settled: list[int] = field(default_factory=list)
    pause: Pause = Pause.NONE
    alarms: set[Alarm] = field(default_factory=set)
    examine: int | None = None
    is_held: bool = False


BACK_OFF, HOLD = Pause.BACK_OFF, Pause.HOLD
CASES = {
    "200 all stored": Case(answer=answer(200, ALL), settled=[3, 4, 5]),
    "200 receipted out of order": Case(answer=answer(200, ALL[::-1]), settled=[3, 4, 5]),
    "200 the same receipt twice": Case(answer=answer(200, (ALL[0], ALL[0])), settled=[3]),
    "200 only the first stored": Case(answer=answer(200, ALL[:1]), settled=[3]),
    "200 nothing stored": Case(answer=answer(200), pause=BACK_OFF),
    "200 a branch": Case(
        answer=answer(200, (*ALL[:2], receipt(2, Verdict.BRANCH))),
        settled=[3, 4, 5],
        alarms={Alarm.FORK},
    ),
    "200 quarantined": Case(
        answer=answer(200, (ALL[0], receipt(1, Verdict.QUARANTINED), ALL[2])),
        settled=[3, 4, 5],
        alarms={Alarm.QUARANTINED},
    ),
    "200 a headstone's receipt for readings": Case(
        answer=answer(200, (ALL[0], receipt(1, Verdict.HEADSTONE))),
        settled=[3],
        alarms={Alarm.RECEIPT_REFUSED},
    ),
    "200 a forged receipt": Case(
        answer=answer(200, (receipt(0, key=FORGER),)),
        pause=BACK_OFF,
        alarms={Alarm.RECEIPT_REFUSED},
    ),
    "200 a forged receipt among good ones": Case(
        answer=answer(200, (receipt(0, key=FORGER), *ALL[1:])),
        settled=[4, 5],
        alarms={Alarm.RECEIPT_REFUSED},
    ),
    "200 a receipt with a broken signature": Case(
        answer=answer(200, (ALL[0][:-1] + bytes([ALL[0][-1] ^ 1]),)),
        pause=BACK_OFF,
        alarms={Alarm.RECEIPT_REFUSED},
    ),
    "200 a receipt that is cut off": Case(
        answer=answer(200, (ALL[0][:-1],)), pause=BACK_OFF, alarms={Alarm.RECEIPT_REFUSED}
    ),
    "200 not an answer of ours": Case(answer=PORTAL, pause=BACK_OFF, alarms={Alarm.NOT_UNDERSTOOD}),
    "409 gap": Case(answer=answer(409, code="gap", frame=0, expected=1)),
    "409 gap behind stored ones": Case(
        answer=answer(409, ALL[:1], code="gap", frame=1, expected=1), settled=[3]
    ),
    "409 gap that does not say where": Case(
        answer=answer(409, code="gap", frame=0), pause=BACK_OFF, alarms={Alarm.NOT_UNDERSTOOD}
    ),
    "409 gap at a frame that was not sent": Case(
        answer=answer(409, code="gap", frame=3, expected=1),
        pause=BACK_OFF,
        alarms={Alarm.NOT_UNDERSTOOD},
    ),
    "422 body": Case(
        answer=answer(422, ALL[:1], code="body", frame=1),
        settled=[3],
        pause=BACK_OFF,
        alarms={Alarm.BATCH_REFUSED},
        examine=4,
    ),
    "400 frame": Case(
        answer=answer(400, code="frame", frame=0),
        pause=BACK_OFF,
        alarms={Alarm.BATCH_REFUSED},
        examine=3,
    ),
    "400 no frame to blame": Case(
        answer=answer(400, code="frame"), pause=BACK_OFF, alarms={Alarm.BATCH_REFUSED}
    ),
    "403 key": Case(
        answer=answer(403, code="key", frame=0),
        pause=HOLD,
        alarms={Alarm.HELD_FOR_KEY},
        examine=3,
        is_held=True,
    ),
    "403 certificate": Case(
        answer=answer(403, code="key"), pause=HOLD, alarms={Alarm.HELD_FOR_KEY}, is_held=True
    ),
    "404": Case(answer=answer(404), pause=HOLD, alarms={Alarm.HELD_FOR_STATUS}, is_held=True),
    "301": Case(answer=answer(301), pause=HOLD, alarms={Alarm.HELD_FOR_STATUS}, is_held=True),
    "413 too large": Case(answer=answer(413)),
    "415 compressed": Case(answer=answer(415)),
    "429 too often": Case(answer=answer(429), pause=BACK_OFF),
    "503 overload": Case(answer=answer(503, code="overload"), pause=BACK_OFF),
    "503 overload behind stored ones": Case(
        answer=answer(503, ALL[:2], code="overload", frame=2), settled=[3, 4], pause=BACK_OFF
    ),
    "500": Case(answer=answer(500), pause=BACK_OFF),
    "no answer": Case(answer=None, pause=BACK_OFF),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_every_answer_has_its_meaning(case: Case) -> None:
    outcome = after(State(), REQUEST, case.answer, TRUST)
    assert sorted(one.batch_no for one in outcome.settle) == case.settled
    assert outcome.pause is case.pause
    assert outcome.state.alarms == case.alarms
    assert (None if outcome.examine is None else outcome.examine.batch_no) == case.examine
    assert outcome.state.is_held is case.is_held


FRAME = arriving(REQUEST)[0]
OTHERS: dict[str, tuple[UUID, Arriving]] = {
    "gateway": (UUID(int=99), FRAME),
    "chain": (GATEWAY, replace(FRAME, chain_id=UUID(int=98))),
    "number": (GATEWAY, replace(FRAME, batch_no=77)),
    "hash": (GATEWAY, replace(FRAME, batch_hash=Hash(b"x" * 32))),
}


@pytest.mark.parametrize(("gateway_id", "frame"), OTHERS.values(), ids=OTHERS.keys())
def test_a_genuine_receipt_for_another_batch_does_not_count(
    gateway_id: UUID, frame: Arriving
) -> None:
    receipt_for_other = ModelCentre(gateway_id=gateway_id).receipt(frame, Verdict.ACCEPTED)
    outcome = after(State(), REQUEST, answer(200, (receipt_for_other,)), TRUST)
    assert outcome.settle == ()
    assert outcome.state.alarms == {Alarm.RECEIPT_REFUSED}
