"""A centre and a gateway that it knows, for all that is downstream of accepted batches."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.central_sync.evaluate.signing_gateway import Centre, SigningGateway


@pytest.fixture
def gateway() -> SigningGateway:
    """A gateway with one channel."""
    return SigningGateway()


@pytest.fixture
def centre(tmp_path: Path, gateway: SigningGateway) -> Iterator[Centre]:
    """A centre that accepts it; its clock stands at 11:00."""
    made = Centre(tmp_path)
    made.register(gateway)
    yield made
    made.close()
