"""A centre that has computed an hour."""

import pytest

from tests.central_sync.evaluate.signing_gateway import (
    HOUR,
    MINUTE,
    TEN,
    Centre,
    SigningGateway,
    rows,
)


@pytest.fixture
def computed(centre: Centre, gateway: SigningGateway) -> Centre:
    """A centre with one batch before, four in and one after the hour of 10:00."""
    centre.take(gateway.batch(rows([(TEN - MINUTE, 1, 1)]), wall_ns=TEN))
    for quarter in range(4):
        at_ns = TEN + quarter * 15 * MINUTE
        centre.take(gateway.batch(rows([(at_ns, 1, 1000 + quarter)]), wall_ns=at_ns + MINUTE))
    centre.take(gateway.batch(rows([(TEN + HOUR, 1, 1)]), wall_ns=TEN + HOUR))
    centre.take_bundle(gateway.bundle)
    centre.compute()
    return centre
