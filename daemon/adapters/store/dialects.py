"""What differs between SQLite and Postgres: connections, their settings, and how a row is replaced."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from daemon.domain.errors import CannotStart, StoreFailure

READERS = 2

# One connection does all writes and all checkpoints. It is always FULL, for events too: what is acknowledged to the
# spool is deleted there, so a batch that is not yet on the disk must not be acknowledged. The sync is about a twentieth
# of the time of an append of 250 (bench/store.py); switching the pragma between transactions would save little else.
SQLITE_WRITER = (
    "auto_vacuum = INCREMENTAL",  # has an effect only before the first table, and only before WAL
    "journal_mode = WAL",
    "synchronous = FULL",
    "journal_size_limit = 67108864",
    "cache_size = -16000",
)
SQLITE_READER = ("query_only = ON",)
POSTGRES = ("synchronous_commit = on", "statement_timeout = '5s'", "idle_in_transaction_session_timeout = '30s'")
POSTGRES_CONNECT = {
    "application_name": "runbookd",
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


def writer_engine(database_url: str) -> Engine:
    """An engine with the one connection that writes. Raises `CannotStart` when the URL is of no use."""
    return _engine(database_url, SQLITE_WRITER, begin="BEGIN IMMEDIATE", connections=1)


def reader_engine(database_url: str) -> Engine:
    """An engine whose connections only read: one for each reader thread, and one for a replay."""
    return _engine(database_url, SQLITE_READER, begin="BEGIN", connections=READERS + 1)


def _engine(database_url: str, pragmas: Sequence[str], *, begin: str, connections: int) -> Engine:
    url = _url(database_url)
    kind = url.get_backend_name()
    options: dict[str, Any] = {"pool_size": connections, "max_overflow": 0, "pool_timeout": 10, "hide_parameters": True}
    if kind == "sqlite":
        engine = create_engine(url, connect_args={"timeout": 5.0}, **options)
        _set_up_sqlite(engine, pragmas, begin)
        return engine
    try:
        engine = create_engine(url, connect_args=POSTGRES_CONNECT, pool_pre_ping=True, **options)
    except ModuleNotFoundError as error:
        raise CannotStart(
            "DATABASE_URL names Postgres, but its driver is missing: install runbookd[postgres]"
        ) from error
    event.listen(engine, "connect", _set_up_postgres)
    return engine


def _url(database_url: str) -> URL:
    try:
        url = make_url(database_url)
    except (ArgumentError, ValueError) as error:
        raise CannotStart(
            "DATABASE_URL cannot be read: write sqlite:////path/to/file or postgresql+psycopg://…"
        ) from error
    kind = url.get_backend_name()
    if kind == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    if kind == "sqlite" and url.database and url.database != ":memory:":
        return url.set(drivername="sqlite")
    raise CannotStart(f"DATABASE_URL must name a SQLite file or a Postgres database, not {kind}")


def _set_up_sqlite(engine: Engine, pragmas: Sequence[str], begin: str) -> None:
    path = Path(engine.url.database or "")

    def connecting(*_: object) -> None:
        with suppress(OSError):  # SQLite says better what is wrong with a path
            path.touch(mode=0o600)
            path.chmod(0o600)

    def connected(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # the driver shall not begin transactions by itself
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}").close()

    def beginning(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine, "do_connect", connecting)
    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", beginning)


def _set_up_postgres(connection: Any, _: ConnectionPoolEntry) -> None:
    connection.autocommit = True
    for setting in POSTGRES:
        connection.execute(f"SET {setting}")
    connection.autocommit = False


@contextmanager
def refusals() -> Iterator[None]:
    """Turns what the database or its driver raises into a `StoreFailure` of one line, without any value of a row."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise StoreFailure(f"the database refused: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    cause = getattr(error, "orig", None) or error
    return next(iter(str(cause).splitlines()), "") or type(cause).__name__


def insert_many(connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """The bulk path: whole rows as tuples, in the order of the columns; a row whose key is there is left as it is."""
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    names = ", ".join(column.name for column in table.columns)
    marks = ", ".join(mark for _ in table.columns)
    if rows:
        statement = f"INSERT INTO {table.name} ({names}) VALUES ({marks}) ON CONFLICT DO NOTHING"
        connection.exec_driver_sql(statement, list(rows))


def add(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Inserts rows; one that is there already is left as it is."""
    if rows:
        connection.execute(_insert(connection, table).on_conflict_do_nothing(), list(rows))


def put(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], *, rising: str | None = None) -> None:
    """Inserts rows or replaces those with the same key; with `rising`, only when that column does not go back."""
    if not rows:
        return
    statement = _insert(connection, table)
    new = statement.excluded
    statement = statement.on_conflict_do_update(
        index_elements=list(table.primary_key),
        set_={column.name: new[column.name] for column in table.columns if not column.primary_key},
        where=None if rising is None else new[rising] >= table.columns[rising],
    )
    connection.execute(statement, list(rows))


def _insert(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)
