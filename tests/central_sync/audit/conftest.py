"""An archive to verify, and to forge."""

import shutil
from pathlib import Path

import pytest

from tests.central_sync.evaluate.signing_gateway import Centre
from tests.central_sync.furnished import export, furnish


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the state of a furnished centre and a whole archive of it: to be copied."""
    folder = tmp_path_factory.mktemp("furnished")
    centre = Centre(folder / "state")
    furnish(centre)
    export(centre, folder / "archive")
    centre.close()
    return folder


@pytest.fixture
def archive(furnished: Path, tmp_path: Path) -> Path:
    """A whole archive, as a folder; beside it the state of the centre that wrote it."""
    shutil.copytree(furnished, tmp_path, dirs_exist_ok=True)
    return tmp_path / "archive"


@pytest.fixture
def state(furnished: Path, tmp_path: Path) -> Path:
    """The state folder of a furnished centre."""
    return shutil.copytree(furnished / "state", tmp_path / "state")
