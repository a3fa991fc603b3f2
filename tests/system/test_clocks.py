"""The campaign `clocks` at a small scale, and that it notices when a safeguard is off."""

import asyncio

import pytest

from central_sync.store.embedded import EmbeddedStore
from edge_agent.buffer import committing
from edge_agent.clock_steps import ClockWatch
from edge_agent.gateway_clock import GatewayClock
from tests.system.campaign import budgets
from tests.system.clocks import lives

SEED = 20_261_121
COUNT = next(one.test for one in budgets() if one.name == "clocks")


def test_clocks_that_are_wrong_lose_and_misplace_nothing() -> None:
    report = asyncio.run(lives(COUNT, SEED))
    assert report["bad"] == []
    assert report["moved"]
    assert report["by_hand"]


def ignored(*_: object) -> None:
    """Do nothing."""


@pytest.mark.parametrize(
    ("owners", "replacement", "noticed"),
    [
        ([(GatewayClock, "remember")], ignored, "began at"),
        ([(ClockWatch, "look"), (committing, "_untold_step")], ignored, "nobody told"),
        ([(EmbeddedStore, "retime")], lambda *_: 0, "readings in hours"),
    ],
    ids=["the last known time", "telling steps", "looking again at earlier batches"],
)
def test_the_campaign_notices_what_is_switched_off(
    monkeypatch: pytest.MonkeyPatch,
    owners: list[tuple[object, str]],
    replacement: object,
    noticed: str,
) -> None:
    for owner, name in owners:
        monkeypatch.setattr(owner, name, replacement)
    report = asyncio.run(lives(12, SEED))
    assert any(noticed in str(fault) for fault in report["bad"])  # type: ignore[attr-defined] # a list of text
