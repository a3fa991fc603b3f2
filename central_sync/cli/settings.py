"""Settings as the command line, the environment and the file together give them."""

import argparse
import os
from pathlib import Path

from central_sync.config import CentreSettings, load_settings

FILE_NAME = "centre.toml"


def settings_of(arguments: argparse.Namespace) -> CentreSettings:
    """Return the settings for a command.

    Raises:
        OperatorError: with every problem.

    """
    given: dict[str, object] = {"state": arguments.state}
    given |= {key: getattr(arguments, key, None) or None for key in ("listen", "allow_simulated")}
    return load_settings(_file(arguments), environ=os.environ, overrides=given)


def _file(arguments: argparse.Namespace) -> Path | None:
    """Return the settings file: the one named, or the one in the state folder if it is there."""
    if arguments.config is not None:
        return Path(arguments.config)
    state = arguments.state or os.environ.get("CENTRAL_SYNC_STATE") or CentreSettings().state
    found = Path(state) / FILE_NAME
    return found if found.exists() else None
