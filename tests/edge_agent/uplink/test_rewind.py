"""How much it takes to bring back what a centre has lost: few questions, little sent in vain."""

from __future__ import annotations

from random import Random

from edge_agent.uplink.protocol import after, interval_began
from edge_agent.uplink.state import Purpose, Request
from tests.edge_agent.uplink.model_centre import ModelCentre
from tests.edge_agent.uplink.model_gateway import GATEWAY, TRUST, ModelGateway, arriving
from tests.edge_agent.uplink.samples import ALL, BATCHES, REQUEST, answer, sent

MADE = 1000


def exchanges(gateway: ModelGateway, centre: ModelCentre) -> list[Request]:
    """Exchange until nothing is left to send; return the requests."""
    gateway.state = interval_began(gateway.state)
    requests = []
    while (request := gateway.next_request()) is not None:
        requests.append(request)
        gateway.take(request, centre.receive(arriving(request)))
        assert len(requests) < 100
    return requests


def delivered() -> tuple[ModelGateway, ModelCentre]:
    """Return a gateway with MADE small batches in one chain, and a centre that has them all."""
    rng = Random(1)  # noqa: S311 - nothing here is a secret
    gateway, centre = ModelGateway(rng=rng, sizes=(500,)), ModelCentre(gateway_id=GATEWAY)
    for _ in range(MADE):
        gateway.seal()
    exchanges(gateway, centre)
    assert len(centre.stored) == MADE
    return gateway, centre


def lose(gateway: ModelGateway, centre: ModelCentre, first: int, last: int) -> None:
    """Take batches away from the centre, as if it had never had them."""
    for batch in gateway.made[first : last + 1]:
        del centre.stored[batch.batch_hash]
        del centre.main[batch.chain_id, batch.batch_no]
    if last + 1 < MADE:
        top = gateway.made[last]
        centre.missing[top.batch_hash] = (top.chain_id, top.batch_no)


def test_a_centre_put_back_to_a_backup_is_brought_up_to_date_in_few_requests() -> None:
    gateway, centre = delivered()
    lose(gateway, centre, 300, MADE - 1)
    gateway.seal()
    requests = exchanges(gateway, centre)
    assert len(centre.stored) == MADE + 1
    # The new batch is refused, 701 are sent in three requests, and nothing more.
    assert [len(request.parts) for request in requests] == [1, 255, 255, 191]
    assert sent(requests[1])[0] == (300, 0)
    assert requests[1].proof is not None


def test_a_long_hole_under_stored_batches_is_found_and_filled() -> None:
    gateway, centre = delivered()
    lose(gateway, centre, 300, 899)
    gateway.seal()
    requests = exchanges(gateway, centre) + exchanges(gateway, centre)
    assert len(centre.stored) == MADE + 1
    assert not centre.missing
    assert len(requests) < 20
    assert sum(len(request.parts) for request in requests) < 3 * 600


def test_a_hole_that_is_no_longer_held_is_said_to_be_one() -> None:
    gateway, centre = delivered()
    lose(gateway, centre, 0, MADE - 1)
    del gateway.held[:400]
    gateway.seal()
    requests = exchanges(gateway, centre)
    assert len(centre.stored) == MADE + 1 - 400
    flagged = [part for request in requests for part in request.parts if part.flags]
    assert {part.held.batch_no for part in flagged} == {400}
    assert gateway.state.holes == frozenset()
    assert gateway.state.rewind is None


def test_live_batches_are_tried_once_per_interval_whatever_the_answer() -> None:
    live = Request(purpose=Purpose.LIVE, parts=REQUEST.parts)
    state = interval_began(delivered()[0].state)
    assert state.is_live_due
    for one in (answer(503), answer(409), answer(200, ALL)):
        assert not after(state, live, one, TRUST).state.is_live_due
    assert after(state, live, None, TRUST).state.is_live_due
    head = after(state, live, answer(200, ALL), TRUST).state.live_head
    assert head is not None
    assert head.batch_no == BATCHES[5].batch_no
