"""`central-sync migrate`: make the state folder, or bring its schema up to date."""

import argparse

from central_sync.app import migrate
from central_sync.cli.settings import settings_of
from central_sync.config import ExitCode


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments: there are none."""


def run(arguments: argparse.Namespace) -> ExitCode:
    """Migrate and tell the revisions."""
    settings = settings_of(arguments)
    before, after = migrate(settings)
    change = "is" if before == after else f"was {before or 'new'}, is now"
    print(f"{settings.database}: schema {change} {after}")
    return ExitCode.OK
