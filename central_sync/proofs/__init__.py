"""What can be proven about the record: log entries, their tree, signed notes, archives.

Bytes and hashes only (docs/witness.md): no file, clock or database. The store appends to the log
with it, the witness signs with it, the auditor verifies with it.
"""
