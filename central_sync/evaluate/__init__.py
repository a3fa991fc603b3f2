"""From the record to results: reads the batches of a dirty hour, and settles what they add up to.

A shell: what is computed is decided in `central_sync.programs` and `central_sync.calc`.
"""
