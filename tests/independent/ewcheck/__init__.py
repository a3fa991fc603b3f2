"""An independent reader of EWP-1 batches (docs/wire-format.md) and judge of what a centre holds.

It shares no line with `edge_agent` or `central_sync`: a misunderstanding of theirs is not repeated.
"""
