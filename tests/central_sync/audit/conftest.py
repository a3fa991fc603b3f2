"""An archive to verify, and to forge."""

from pathlib import Path

import pytest

from tests.central_sync.evaluate.signing_gateway import Centre
from tests.central_sync.furnished import export, furnish


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A whole archive of a furnished centre, as a folder."""
    centre = Centre(tmp_path / "state")
    furnish(centre)
    export(centre, tmp_path / "archive")
    centre.close()
    return tmp_path / "archive"
