"""Delivers durable batches to the centre and settles them against signed receipts."""
