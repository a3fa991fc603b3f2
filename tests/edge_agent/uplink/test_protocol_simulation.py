"""The uplink's own state machine against a model of the centre, through random schedules.

Whatever is lost, repeated, half done or restored from a backup: what the gateway still holds
arrives, and nothing is forgotten without a receipt that the centre gave for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.uplink.protocol import interval_began
from edge_agent.uplink.state import LARGEST_BYTES, LARGEST_FRAMES, Alarm, State
from edge_agent.wire.signing import SigningKey
from edge_agent.wire.vocabulary import Verdict
from tests.edge_agent.uplink.model_centre import ModelCentre, Reaction
from tests.edge_agent.uplink.model_gateway import GATEWAY, ModelGateway, arriving

if TYPE_CHECKING:
    from random import Random

FORGER = SigningKey.from_seed(b"f" * 32)


def exchange(gateway: ModelGateway, centre: ModelCentre, fault: str) -> bool:
    """Send one request under a fault; return whether there was one to send."""
    request = gateway.next_request()
    if request is None:
        return False
    assert len(request.parts) <= LARGEST_FRAMES
    assert request.size <= LARGEST_BYTES or len(request.parts) == 1
    frames = arriving(request)
    if fault == "request lost":
        gateway.take(request, None)
        return True
    stop_after = gateway.rng.randrange(len(frames) + 1) if fault == "half stored" else None
    reaction = centre.receive(frames, stop_after=stop_after)
    if fault == "request doubled":
        reaction = centre.receive(frames)
    if fault == "receipts forged":
        forged = tuple(centre.receipt(one, Verdict.ACCEPTED, key=FORGER) for one in frames)
        reaction = Reaction(status=200, receipts=forged)
    if fault == "receipts foreign":
        others = ModelCentre(gateway_id=UUID(int=8))
        reaction = Reaction(status=200, receipts=others.receive(frames).receipts)
    gateway.take(request, None if fault == "answer lost" else reaction)
    return True


FAULTS = ["none", "none", "request lost", "answer lost", "request doubled", "half stored"]
FORGERIES = ["receipts forged", "receipts foreign"]
ACTS = [
    "seal",
    "seal",
    "seal many",
    "tick",
    "exchange",
    "exchange",
    "exchange",
    "forget",
    "restart",
]
DISASTERS = ["back up", "restore", "restore empty"]


def alone(gateway: ModelGateway, what: str) -> None:
    """Take a step that the gateway takes by itself."""
    match what:
        case "seal many":
            for _ in range(gateway.rng.choice([2, 3, 5, 8, 13, 21, 300])):
                gateway.seal()
        case "tick":
            gateway.state = interval_began(gateway.state)
        case "forget":
            gateway.forget()
        case "restart":
            gateway.state = State()
        case _:
            gateway.seal(in_new_chain=what == "begin a chain")


def schedules(acts: list[str], faults: list[str]) -> st.SearchStrategy[list[tuple[str, str]]]:
    """Return schedules that are long enough for something to go wrong in them."""
    step = st.tuples(st.sampled_from(acts), st.sampled_from(faults))
    return st.lists(step, min_size=40, max_size=120)


@dataclass(slots=True, kw_only=True)
class World:
    """Both sides, and the last backup of the centre."""

    gateway: ModelGateway
    centre: ModelCentre = field(default_factory=lambda: ModelCentre(gateway_id=GATEWAY))
    kept: ModelCentre = field(default_factory=lambda: ModelCentre(gateway_id=GATEWAY))

    def act(self, what: str, fault: str) -> None:
        """Take one step of a schedule; the fault is one of an exchange."""
        match what:
            case "exchange":
                exchange(self.gateway, self.centre, fault)
            case "back up":
                self.kept = self.centre.backup()
            case "restore":
                self.centre = self.kept.backup()
            case "restore empty":
                self.centre = ModelCentre(gateway_id=GATEWAY)
            case _:
                alone(self.gateway, what)

    def drain(self) -> None:
        """Exchange without faults, interval after interval, until nothing is left to send."""
        for _ in range(3):
            self.gateway.state = interval_began(self.gateway.state)
            steps = 0
            while exchange(self.gateway, self.centre, "none"):
                steps += 1
                assert steps < 500, "does not drain"


@given(schedule=schedules(ACTS, FAULTS), rng=st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_lost_and_repeated_messages_lose_and_repeat_nothing(
    schedule: list[tuple[str, str]], rng: Random
) -> None:
    world = World(gateway=ModelGateway(rng=rng))
    for what, fault in schedule:
        world.act(what, fault)
    world.drain()
    receipts = {digest: one.pack() for digest, one in world.gateway.receipted.items()}
    assert receipts == world.centre.stored
    assert set(receipts) == {one.batch_hash for one in world.gateway.made}
    assert not world.gateway.state.alarms
    assert not world.centre.missing


@given(schedule=schedules([*ACTS, *DISASTERS], FAULTS), rng=st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_a_restored_centre_gets_back_everything_that_is_still_held(
    schedule: list[tuple[str, str]], rng: Random
) -> None:
    world = World(gateway=ModelGateway(rng=rng))
    for what, fault in schedule:
        world.act(what, fault)
    world.gateway.seal()
    world.drain()
    held = {one.batch_hash for one in world.gateway.held}
    assert held <= set(world.centre.stored)
    assert not held & set(world.centre.missing)
    assert not world.gateway.state.alarms


@given(
    schedule=schedules(ACTS, [*FAULTS, *FORGERIES, *FORGERIES]),
    rng=st.randoms(use_true_random=False),
)
@settings(max_examples=40, deadline=None)
def test_nothing_is_forgotten_without_a_receipt_of_the_centre(
    schedule: list[tuple[str, str]], rng: Random
) -> None:
    world = World(gateway=ModelGateway(rng=rng))
    for what, fault in schedule:
        world.act(what, fault)
        for digest, receipt in world.gateway.receipted.items():
            assert world.centre.stored[digest] == receipt.pack()
    world.drain()
    assert set(world.centre.stored) == {one.batch_hash for one in world.gateway.made}
    assert world.gateway.state.alarms <= {Alarm.RECEIPT_REFUSED}
