"""Files and folders that this user, or the system, does not let us see."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from edge_agent.config.library import Library
from edge_agent.config.loading import load_plan
from edge_agent.config.plan import ConfigurationError

GOOD: Final = Path(__file__).parents[2] / "cases" / "config" / "_good"


class ClosedFolder(type(Path())):  # type: ignore[misc] # the class of paths here, as pathlib says
    """A folder that another user owns; for root, who may run this, there is none."""

    def is_dir(self) -> bool:
        """Say that it is there."""
        return True

    def iterdir(self) -> Iterator[Path]:
        """Refuse."""
        raise PermissionError(13, "Permission denied", str(self))


def test_a_devices_folder_that_cannot_be_read_is_not_an_empty_one(tmp_path: Path) -> None:
    shutil.copytree(GOOD, tmp_path, dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "devices.d")
    (tmp_path / "devices.d").touch()
    with pytest.raises(ConfigurationError) as caught:
        load_plan(tmp_path / "agent.toml", environ={}, overrides={})
    (told,) = caught.value.problems
    assert told.startswith(f"{tmp_path / 'devices.d'}: cannot be read: Not a directory.")


def test_a_path_that_the_system_refuses_is_told_and_no_trace(tmp_path: Path) -> None:
    shutil.copytree(GOOD, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "agent.toml"
    text, name = path.read_text(encoding="utf-8"), "n" * 300
    changed = re.sub(r"^key_file = .*$", f'key_file = "{name}/key"', text, flags=re.MULTILINE)
    path.write_text(changed, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load_plan(path, environ={}, overrides={})
    (told,) = caught.value.problems
    assert f"gateway.key_file: there is no folder {tmp_path / name}." in told


def test_a_profiles_folder_that_cannot_be_read_is_told() -> None:
    with pytest.raises(ConfigurationError) as caught:
        Library(folders=(ClosedFolder("profiles.d"),))
    (told,) = caught.value.problems
    assert told.startswith("profiles.d: cannot be read: Permission denied.")
