"""What a buffer may fail with: errors of the world, each with its remedy.

A bug is not here: it raises whatever Python raises. After any of these the caller still has its
readings and calls `append` again with the same portion; nothing is stored twice.
"""


class BufferFullError(Exception):
    """The quota is full of batches that the centre has not receipted; nothing was stored."""


class BufferUnavailableError(Exception):
    """The storage refused: disk full, read-only, damaged, or in use by another agent."""
