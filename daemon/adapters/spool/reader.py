"""The control plane's end of the spool: reads every worker's file, and says what may be pruned."""

import json
import logging
import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from daemon.adapters.spool import codec, files
from daemon.ports import SpoolBatch, Watermark

log = logging.getLogger(__name__)

T = TypeVar("T")

_START = Watermark(batch_id=0, sequence=0)


class SpoolReader:
    """A `Spool` over a directory. Blocking; files may be missing, half made or damaged: the others are read."""

    def __init__(self, directory: Path, acknowledged: Path) -> None:
        self._directory = directory
        self._acknowledged = acknowledged
        self._published: dict[str, int] | None = None
        self._complaints: dict[Path, str] = {}
        self._empty: dict[Path, tuple[object, int]] = {}
        """What each file looked like when it had nothing more to read. One that was so twice is not opened until it
        changes; once is not enough, for times of files are coarse."""

    def read(self, after: Mapping[str, Watermark], limit: int) -> Sequence[SpoolBatch]:
        """Batches after the watermarks, oldest first, at most `limit` of each file.

        A batch whose body cannot be read comes without events: it counts as lost, and the rest goes on.
        """

        def rows(connection: sqlite3.Connection, spool_id: str) -> list[tuple[str, int, int, bytes]]:
            """All at once: while a reading is open, the writer's log only grows."""
            return connection.execute(
                "SELECT ?, id, sequence, body FROM batches WHERE id > ? ORDER BY id LIMIT ?",
                (spool_id, after.get(spool_id, _START).batch_id, limit),
            ).fetchall()

        batches: list[SpoolBatch] = []
        place = frozenset((spool_id, mark.batch_id) for spool_id, mark in after.items())
        for path in files.files_in(self._directory):
            mark = (place, files.mark_of(path))
            if self._empty.get(path) == (mark, 2):
                continue
            found = self._ask(path, rows)
            batches += [_batch(*row) for row in found or ()]
            if found == []:
                self._empty[path] = (mark, 2 if self._empty.get(path) == (mark, 1) else 1)
        return batches

    def acknowledge(self, applied: Mapping[str, Watermark]) -> None:
        """Replaces `spool.ack` atomically, if it would say something new. Raises OSError."""
        wanted = {spool_id: watermark.batch_id for spool_id, watermark in applied.items()}
        if wanted == self._published:
            return
        self._acknowledged.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = self._acknowledged.with_name(f"{self._acknowledged.name}.new")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(wanted, file)
        new.replace(self._acknowledged)
        self._published = wanted

    def depth(self, applied: Mapping[str, Watermark]) -> int:
        """Events that wait, in all files."""

        def waiting(connection: sqlite3.Connection, spool_id: str) -> int:
            after = applied.get(spool_id, _START).batch_id
            row = connection.execute("SELECT ifnull(sum(n), 0) FROM batches WHERE id > ?", (after,)).fetchone()
            return int(row[0])

        return sum(self._ask(path, waiting) or 0 for path in files.files_in(self._directory))

    def _ask(self, path: Path, question: Callable[[sqlite3.Connection, str], T]) -> T | None:
        """None when the file has no answer yet, or cannot be read."""
        try:
            with closing(files.open_for_reading(path)) as connection:
                spool_id = _spool_id(connection)
                answer = question(connection, spool_id) if spool_id else None
        except sqlite3.Error as error:
            self._complain(path, str(error))
            return None
        self._complaints.pop(path, None)
        return answer

    def _complain(self, path: Path, text: str) -> None:
        """Once, until the file can be read again or fails for another reason."""
        if self._complaints.get(path) != text:
            self._complaints[path] = text
            log.warning("the spool file %s cannot be read: %s", path.name, text)


def _spool_id(connection: sqlite3.Connection) -> str | None:
    """None while the worker is still making the file."""
    tables = connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'meta'").fetchone()
    if not tables[0]:
        return None
    row = connection.execute("SELECT value FROM meta WHERE name = 'spool_id'").fetchone()
    return row and str(row[0])


def _batch(spool_id: str, batch_id: int, sequence: int, body: bytes) -> SpoolBatch:
    try:
        events = codec.decode(body)
    except ValueError as error:
        log.error("batch %d of spool %s is lost: %s", batch_id, spool_id, error)
        events = ()
    return SpoolBatch(spool_id=spool_id, batch_id=batch_id, sequence=sequence, events=events)
