"""Keeps signed batches on disk until the centre has signed for them."""
