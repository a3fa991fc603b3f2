"""The store under test, once for each adapter."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.central_sync.ingest.signed_chain import SignedChain
from tests.conformance.store.stores import ADAPTERS, Stored


@pytest.fixture(params=ADAPTERS)
def stored(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stored]:
    """Yield a store of each kind."""
    under_test = Stored(tmp_path, ADAPTERS[request.param])
    yield under_test
    under_test.store.close()


@pytest.fixture
def chain(stored: Stored) -> SignedChain:
    """Return the chain of a registered gateway."""
    chain = SignedChain()
    stored.register(chain)
    return chain
