"""The auditor: verifies an exported archive, without the centre that made it.

It imports the wire, the proofs and the reader of readings, and nothing else of the centre: what it
needs is what the wire needs, and pyarrow. docs/witness.md says what it checks.
"""
