"""Runs migrations: on the connection that the daemon hands over, or for developers on `alembic -x database_url=…`."""

from alembic import context
from sqlalchemy import Connection, create_engine

from daemon.adapters.store.tables import metadata


def run(connection: Connection) -> None:
    """All steps in one transaction: an upgrade that is broken off was never begun."""
    context.configure(
        connection=connection,
        target_metadata=metadata,
        transactional_ddl=True,
        render_as_batch=True,
    )
    with context.begin_transaction():
        context.run_migrations()


if handed_over := context.config.attributes.get("connection"):
    run(handed_over)
else:
    with create_engine(context.get_x_argument(as_dictionary=True)["database_url"]).begin() as own:
        run(own)
