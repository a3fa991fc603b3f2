"""Checkpoints of the log: signed, kept in the store and outside of it, held against what is there.

A log never signs what contradicts a checkpoint it signed before: a store that was set back or
rewritten is noticed here, and its log goes on under another key and name.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from central_sync.proofs.entry import leaf
from central_sync.proofs.note import Checkpoint, NoteKey
from central_sync.proofs.tree import Frontier
from central_sync.store.port import Store
from edge_agent.wire.refusal import RefusedError
from edge_agent.wire.signing import SigningKey
from edge_agent.wire.vocabulary import Hash

ORIGIN: Final = "emissionwatch-centre"
ENTRY_PAGE: Final = 1000


class LogRewrittenError(Exception):
    """The log is not the one of the last checkpoint: its store was set back, or altered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """Vouches for the log of a store; blocks.

    Attributes:
        store: what has the log.
        key: the log's own key.
        file: the newest checkpoint, outside the store.

    """

    store: Store
    key: SigningKey
    file: Path

    @property
    def note_key(self) -> NoteKey:
        """The log's name and public key: the name is made of the key, so that both change."""
        verifying = self.key.verifying_key
        return NoteKey(name=f"{ORIGIN}/{verifying.key_id.hex()[:16]}", key=verifying)

    def fault(self, *, is_thorough: bool = False) -> str | None:
        """Return why the log is not the one of the last checkpoint; None: it is, or is new.

        Thorough: every entry is read and hashed, some hundred thousand in a second; else only what
        is kept of the tree, in which an altered entry does not show.
        """
        try:
            note = self.file.read_bytes()
        except FileNotFoundError:
            return None
        try:
            last = Checkpoint.opened(note, self.note_key)
        except RefusedError as refused:
            return f"{self.file}: {refused.detail}"
        size = self.store.log_size()
        if size < last.size:
            return f"the log has {size} entries, the checkpoint in {self.file} is of {last.size}"
        roots = {self.store.log_root(last.size)}
        if is_thorough:
            roots.add(self._root_of_entries(last.size))
        if roots != {last.root}:
            return f"the first {last.size} entries are not those of the checkpoint in {self.file}"
        return None

    def _root_of_entries(self, size: int) -> Hash:
        """Return the tree hash of the first `size` entries, each hashed anew."""
        tree = Frontier()
        while tree.size < size:
            page = self.store.log_entries(tree.size, min(ENTRY_PAGE, size - tree.size))
            if not page:
                break
            for entry in page:
                tree, _ = tree.grown(leaf(entry))
        return tree.root

    def checkpoint(self, *, is_thorough: bool = False) -> tuple[Checkpoint, bytes]:
        """Sign the log as it is now; return the checkpoint and its note, both durable.

        It is held against the last one first, thoroughly if asked for (`fault`).

        Raises:
            LogRewrittenError: it contradicts the last one; nothing was signed.

        """
        fault = self.fault(is_thorough=is_thorough)
        if fault is not None:
            raise LogRewrittenError(fault)
        size = self.store.log_size()
        made = Checkpoint(origin=self.note_key.name, size=size, root=self.store.log_root(size))
        note = made.signed(self.key)
        self._keep(note)
        self.store.put_checkpoint(size, note)
        return made, note

    def _keep(self, note: bytes) -> None:
        """Put the checkpoint in place of the last one, whole; another process may do the same."""
        unfinished = self.file.with_name(f"{self.file.name}.{os.getpid()}.unfinished")
        with unfinished.open("wb") as file:
            file.write(note)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(self.file)


def retire(witness: Witness, key_file: Path) -> None:
    """Set the key of a log that was rewritten and its last checkpoint aside, as evidence."""
    mark = f".{witness.key.key_id.hex()[:16]}"
    for path in (key_file, witness.file):
        if path.exists():
            path.replace(path.with_name(path.name + mark))
