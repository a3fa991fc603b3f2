"""The decision table of docs/wire-format.md section 12, row by row."""

from dataclasses import replace

import pytest

from central_sync.ingest.admit import admit, must_read
from central_sync.model import AlarmCode
from central_sync.store.admission import (
    Decision,
    Keep,
    Refuse,
    Repeat,
    Unread,
)
from tests.central_sync.ingest.admit_forks import FORKS
from tests.central_sync.ingest.admit_frames import (
    AFTER_ZERO,
    HEAD_ZERO,
    ONE,
    THREE,
    UNFIT,
    candidate,
)
from tests.central_sync.ingest.admit_table import TABLE, Row


def told(decision: Decision) -> str:
    """Return a decision in one line: what, hole, alarms."""
    match decision:
        case Repeat():
            return "repeat"
        case Keep(verdict=verdict, hole=hole, alarms=alarms, completes=completes):
            words = [f"keep {verdict.name.lower()}"]
            words += ["completes"] * completes + ["beside"] * decision.is_branch
            words += [f"hole {hole.batch_no}"] if hole else []
            return " ".join(words + [alarm.code for alarm in alarms])
        case Refuse(refusal=refusal, alarms=alarms):
            words = [str(refusal.status), refusal.code]
            words += [f"expected {refusal.expected}"] if refusal.expected is not None else []
            words += [refusal.check] if refusal.check else []
            return " ".join(words + [alarm.code for alarm in alarms])


@pytest.mark.parametrize("row", TABLE + FORKS, ids=lambda row: row.name)
def test_the_table_of_section_12_decides(row: Row) -> None:
    assert told(admit(row.comes, row.sight)) == row.is_told


@pytest.mark.parametrize("row", TABLE + FORKS, ids=lambda row: row.name)
def test_a_body_is_read_exactly_when_the_decision_depends_on_it(row: Row) -> None:
    unread = replace(row.comes, body=Unread())
    sight = row.sight
    if row.comes.header.is_genesis and sight.same is None:
        # What a genesis continues is known only after its body was read.
        sight = replace(sight, before=None)
    assert must_read(unread, sight) == row.is_read


def test_a_refusal_names_the_frame_and_the_chain() -> None:
    decision = admit(candidate(THREE), HEAD_ZERO)
    assert isinstance(decision, Refuse)
    assert decision.refusal.frame == 3
    assert decision.refusal.chain_id == THREE.header.chain_id


def test_alarms_of_one_chain_share_a_subject() -> None:
    decision = admit(candidate(ONE, UNFIT), AFTER_ZERO)
    assert isinstance(decision, Keep)
    assert [(one.code, one.subject) for one in decision.alarms] == [
        (AlarmCode.CONTENT, str(ONE.header.chain_id))
    ]
