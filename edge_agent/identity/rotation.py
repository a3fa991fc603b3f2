"""One signing key after another: the files, in an order that survives a cut at any point.

`gateway.key.next` waits for the agent to sign it in; `gateway.key.old` is kept until the centre has
what the old key signed last, because only then the centre knows the new one.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_agent.errors import ExitCode, OperatorError
from edge_agent.identity.key_file import sync_directory, unusable, wipe
from edge_agent.identity.signing import create_signing_key, load_signing_key

if TYPE_CHECKING:
    from pathlib import Path

    from edge_agent.wire.signing import SigningKey, VerifyingKey


@dataclass(frozen=True, slots=True, kw_only=True)
class NextKey:
    """The files beside a signing key; `key_file` is the key that signs."""

    key_file: Path

    @property
    def waiting_file(self) -> Path:
        """The key that is to follow."""
        return self.key_file.with_name(f"{self.key_file.name}.next")

    @property
    def old_file(self) -> Path:
        """The key before, until the centre knows the present one."""
        return self.key_file.with_name(f"{self.key_file.name}.old")

    def prepare(self, *, credentials: Path | None) -> SigningKey:
        """Make the key that is to follow; one that waits already is the one.

        Raises:
            OperatorError: the key is not ours to change, or the files cannot be written.

        """
        if credentials is not None and self.key_file.parent == credentials:
            raise OperatorError(
                f"{self.key_file}: the service manager gives this key. Change it there, and tell"
                " the centre: central-sync gateway token NAME --again",
                exit_code=ExitCode.CONFIGURATION,
            )
        if self.old_file.exists():
            raise OperatorError(
                f"{self.old_file}: the centre has not taken the last change of keys yet. Wait until"
                " everything is sent",
                exit_code=ExitCode.TRY_AGAIN,
            )
        return self.waiting or create_signing_key(self.waiting_file)

    @property
    def waiting(self) -> SigningKey | None:
        """The key that waits, if one does.

        Raises:
            OperatorError: there is one that cannot be used.

        """
        return load_signing_key(self.waiting_file) if self.waiting_file.exists() else None

    @property
    def old(self) -> SigningKey | None:
        """The key before, if it is still here.

        Raises:
            OperatorError: there is one that cannot be used.

        """
        return load_signing_key(self.old_file) if self.old_file.exists() else None

    @property
    def earlier(self) -> tuple[VerifyingKey, ...]:
        """Public halves of keys whose batches may still wait for their receipts.

        Raises:
            OperatorError: as `old`.

        """
        old = self.old
        return () if old is None else (old.verifying_key,)

    def promote(self) -> None:
        """Let the key that waits be the key; it must have been signed in durably.

        The name of the key is never without one: its file gets a second name, then the new one is
        moved over the first.

        Raises:
            OperatorError: the files cannot be moved.

        """
        try:
            if not self.old_file.exists():
                os.link(self.key_file, self.old_file)
            self.waiting_file.replace(self.key_file)
            sync_directory(self.key_file.parent)
        except OSError as fault:
            raise unusable(self.key_file, fault) from fault

    def forget_old(self) -> bool:
        """Wipe the key before; return whether there was one.

        Raises:
            OperatorError: it cannot be removed.

        """
        return wipe(self.old_file)
