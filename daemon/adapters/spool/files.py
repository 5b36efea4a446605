"""Where a worker's spool lies and what is in it: one table of batches, written by that worker only."""

import fcntl
import os
import sqlite3
from contextlib import suppress
from pathlib import Path

PAGE_BYTES = 4096
SCHEMA = """
CREATE TABLE IF NOT EXISTS batches (
    id INTEGER PRIMARY KEY AUTOINCREMENT, sequence INTEGER NOT NULL, n INTEGER NOT NULL, body BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


def file_of(directory: Path, worker: int) -> Path:
    """`worker-0.db`."""
    return directory / f"worker-{worker}.db"


def files_in(directory: Path) -> list[Path]:
    """Those of all workers, also of those that no longer run."""
    return sorted(directory.glob("worker-*.db"))


def mark_of(path: Path) -> tuple[tuple[int, int], ...]:
    """Changes with every commit: when the file and its log were last written, and how long they are."""
    marks = []
    for suffix in ("", "-wal"):
        with suppress(FileNotFoundError):
            status = Path(f"{path}{suffix}").stat()
            marks.append((status.st_mtime_ns, status.st_size))
    return tuple(marks)


def lock(directory: Path, worker: int) -> int | None:
    """Makes this process the worker's only writer until it closes the descriptor (or ends); None: there is another.

    Raises OSError when there can be no file in the directory.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(directory / f"worker-{worker}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def open_for_writing(path: Path, log_pages: int) -> sqlite3.Connection:
    """The write-ahead log is kept near `log_pages`. Raises sqlite3.Error or OSError.

    SQLite gives `-wal` and `-shm` the mode of the file itself.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=1.0)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute(f"PRAGMA wal_autocheckpoint={log_pages}")
        connection.execute(f"PRAGMA journal_size_limit={log_pages * PAGE_BYTES}")
        connection.executescript(SCHEMA)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def log_bytes(path: Path) -> int:
    """The size of the write-ahead log of a file."""
    try:
        return Path(f"{path}-wal").stat().st_size
    except FileNotFoundError:
        return 0


def open_for_reading(path: Path) -> sqlite3.Connection:
    """A connection that cannot write: the file has one writer, and only that one moves its log into it."""
    return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False)


def is_damaged(error: Exception) -> bool:
    """Whether the file itself is spoilt, so that waiting does not help."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def set_aside(path: Path, mark: str) -> None:
    """Renames a damaged file and its companions, so that a new one can be begun in its place."""
    for suffix in ("", "-wal", "-shm"):
        part = Path(f"{path}{suffix}")
        if part.exists():
            part.rename(Path(f"{path}.damaged-{mark}{suffix}"))
