"""Alembic's entry: runs the revisions on the connection that `upgrade` hands over."""

from alembic import context

from central_sync.store.schema import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,
    # SQLite can undo the making of a table; Alembic takes it for one that cannot.
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
