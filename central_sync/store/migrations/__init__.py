"""The only source of the store's schema: Alembic revisions, applied in order.

A revision that was released is never changed.
"""
