"""`edge-agent scan` and DNP3: asked by name only, for present values, and nothing is confirmed."""

import pytest

from edge_agent.errors import OperatorError
from edge_agent.simulator.dnp3_outstation import Outstation
from edge_agent.technician.discovering import discovered
from edge_agent.technician.scanning import Outcome, tcp_questions, usual_protocols
from tests.conformance.driver.outstation import filled, serving, state
from tests.edge_agent.technician.test_scan import scanned


@pytest.mark.asyncio
async def test_outstations_are_asked_for_their_present_values_and_keep_their_events(
    capsys: pytest.CaptureFixture[str],
) -> None:
    own = filled()
    own.hold(state(7.0), is_event=True)
    async with serving(own) as (port, _):
        words = ("tcp", "127.0.0.1", "--ports", f"{port}:dnp3", "--unit", "10")
        (row,) = await scanned(capsys, *words)
        answers = await discovered(
            tcp_questions("127.0.0.1", f"{port}:dnp3", unit_id=11), timeout_s=0.2
        )
    assert [one.outcome for one in answers] == [Outcome.SILENT]
    assert row["says"] == {
        "analog input": "2, up to 1",
        "binary input": "1, up to 0",
        "counter": "1, up to 0",
    }
    assert len(own.events) == 1
    async with serving(Outstation()) as (port, _):
        questions = tcp_questions("127.0.0.1", f"{port}:dnp3", unit_id=10)
        (other,) = await discovered(questions, timeout_s=1.0)
    assert (other.outcome, other.detail) == (Outcome.OTHER, "no points (IIN 0000)")
    (closed,) = await discovered(questions, timeout_s=1.0)
    assert closed.outcome is Outcome.CLOSED


def test_an_instrument_has_three_digits_and_an_outstation_is_asked_by_name_only() -> None:
    with pytest.raises(OperatorError, match="instruments are 0 to 999"):
        tcp_questions("10.0.0.1", "9000:bayern_hessen", unit_id=1000)
    (question,) = tcp_questions("10.0.0.1", "20000:dnp3", unit_id=65_519)
    assert (question.protocol, question.unit_id) == ("dnp3", 65_519)
    assert "dnp3" not in usual_protocols().values()
