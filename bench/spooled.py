"""How many events a proxy under test has kept: proof that it observed while it was measured."""

import sqlite3
from contextlib import closing
from pathlib import Path

from daemon.adapters.spool.files import files_in


def spooled(state: Path) -> int | None:
    """None: it has no spool."""
    files = files_in(state / "spool")
    return sum(map(_count, files)) if files else None


def _count(file: Path) -> int:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        (count,) = connection.execute("SELECT total(n) FROM batches").fetchone()
    return int(count)
