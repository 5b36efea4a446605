"""The schema's version: brought up to date at start, and refused when it is from a later version than ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

from daemon.adapters.store.dialects import reader_engine, refusals, writer_engine
from daemon.domain.errors import CannotStart

UPGRADE_LOCK = 0x72756E62
"""Held in Postgres while upgrading, so that nodes that start together do it one after the other."""


def upgrade(database_url: str, migrations: Path) -> None:
    """Brings the schema up to date in one transaction; blocking. Raises `CannotStart` when the schema is from a later
    version, and then changes nothing; raises `StoreFailure` when the database does not answer."""
    config = _config(migrations)
    with _disposing(writer_engine(database_url)) as engine, refusals(), engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({UPGRADE_LOCK})")
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        present, scripts = _present(connection), ScriptDirectory.from_config(config)
        _refuse_the_future(present, scripts)
        if present != scripts.get_current_head():
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def schema_is_current(database_url: str, migrations: Path) -> bool:
    """Whether the schema is the one that this version works with; blocking. Raises `StoreFailure`."""
    head = ScriptDirectory.from_config(_config(migrations)).get_current_head()
    with _disposing(reader_engine(database_url)) as engine, refusals(), engine.begin() as connection:
        return _present(connection) == head


def _config(migrations: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    return config


def _present(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _refuse_the_future(present: str | None, scripts: ScriptDirectory) -> None:
    known = {script.revision for script in scripts.walk_revisions()}
    if present is not None and present not in known:
        raise CannotStart(
            f"the database has schema {present}, but this version knows only up to {scripts.get_current_head()}: "
            "install the version that wrote it, or set DATABASE_URL to another database; nothing was changed"
        )


@contextmanager
def _disposing(engine: Engine) -> Iterator[Engine]:
    try:
        yield engine
    finally:
        engine.dispose()
