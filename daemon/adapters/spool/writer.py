"""The worker's end of the spool: a bounded ring, and a thread that moves it to disk in small batches."""

import json
import logging
import secrets
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

from daemon.adapters.spool import codec, files
from daemon.domain.event import Event
from daemon.ports import Clock

log = logging.getLogger(__name__)

RING_EVENTS = 65536
BATCH_EVENTS = 100
GATHER_SECONDS = 0.05
"""From the first waiting event to the write."""
PAUSE_SECONDS = 0.005
"""Between two batches: packing rows holds the interpreter, and requests want it too."""
LONGEST_BACK_OFF_SECONDS = 5.0
CLOSING_SECONDS = 5.0


class SpoolWriter:
    """An `EventSink`. Whatever happens to the disk, `offer` only appends; the oldest events are dropped and counted.

    `wake` is called (in the writer's thread) after each write; `acknowledged` is the file that says what to prune.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Clock,
        max_bytes: int,
        acknowledged: Path,
        wake: Callable[[], None] = lambda: None,
        ring_events: int = RING_EVENTS,
    ) -> None:
        self._file = _SpoolFile(path, clock, max_bytes, acknowledged)
        self._wake = wake
        self._ring: deque[tuple[int, Event]] = deque(maxlen=ring_events)
        self._emitted = 0
        self._pending: tuple[int, list[Event]] | None = None
        self._taken = 0
        self._dropped = 0
        self._overflowed = 0
        self._failure: str | None = None
        self._signal = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def offer(self, event: Event) -> None:
        """Called by one thread only."""
        self._emitted += 1
        self._ring.append((self._emitted, event))
        if not self._signal.is_set():
            self._signal.set()

    def close(self) -> None:
        """Writes what waits, within `CLOSING_SECONDS`."""
        self._stop.set()
        self._signal.set()
        self._thread.join(CLOSING_SECONDS)

    @property
    def dropped(self) -> int:
        """Events that never reached the disk, or had to leave it before they were read."""
        return self._dropped + self._overflowed + self._file.dropped

    @property
    def failure(self) -> str | None:
        """Why the last write did not succeed; None while all is well."""
        return self._failure

    def _run(self) -> None:
        while not self._stop.is_set():
            self._signal.wait()
            self._stop.wait(GATHER_SECONDS)
            self._signal.clear()
            self._drain()
        self._drain()
        if lost := len(self._ring) + len(self._pending[1] if self._pending else ()):
            log.error("%d events could not be written before the end", lost)
        self._file.close()

    def _drain(self) -> None:
        """What waits by now; what comes meanwhile is gathered for the next time."""
        back_off, upto = 0.1, self._emitted
        while (self._pending or self._taken < upto) and (batch := self._take()):
            if self._try_write(*batch):
                self._pending = None
                self._wake()
                self._stop.wait(PAUSE_SECONDS)
            elif self._stop.wait(back_off):
                return
            else:
                back_off = min(back_off * 2, LONGEST_BACK_OFF_SECONDS)

    def _take(self) -> tuple[int, list[Event]] | None:
        """The batch that could not be written yet, else the next one; its last event's number comes first."""
        if self._pending is None and self._ring:
            taken = [self._ring.popleft() for _ in range(min(len(self._ring), BATCH_EVENTS))]
            last = taken[-1][0]
            self._dropped += last - self._taken - len(taken)
            self._taken, self._overflowed = last, 0
            self._pending = (last, [event for _, event in taken])
        return self._pending

    def _try_write(self, last: int, events: list[Event]) -> bool:
        try:
            self._file.append(last, events)
        except (sqlite3.Error, OSError) as error:
            self._file.give_up(error)
            if self._failure is None:
                log.error("the spool cannot be written (%s); events wait in memory, the newest ones only", error)
            self._failure = str(error)
            self._overflowed = self._ring[0][0] - 1 - self._taken if self._ring else 0
            return False
        except Exception:
            log.exception("a batch of events is lost: it cannot be packed")
            self._dropped += len(events)
            return True
        if self._failure is not None:
            log.warning("the spool is written again; %d events were dropped so far", self.dropped)
            self._failure = None
        self._file.prune()
        return True


class _SpoolFile:
    """The SQLite file, opened when it is needed. Not thread-safe."""

    def __init__(self, path: Path, clock: Clock, max_bytes: int, acknowledged: Path) -> None:
        self._path = path
        self._clock = clock
        self._log_pages = max(16, min(4000, max_bytes // 16 // files.PAGE_BYTES))
        self._most_bytes = max_bytes * 3 // 4
        self._most_log_bytes = max_bytes // 4
        self._acknowledged = acknowledged
        self._acknowledged_at = 0
        self._connection: sqlite3.Connection | None = None
        self._spool_id = ""
        self._base = 0
        self._written = 0
        self._bytes = 0
        self.dropped = 0

    def append(self, last: int, events: list[Event]) -> None:
        """One row; `last` is the number of its last event since the process began. Raises sqlite3.Error, OSError."""
        connection = self._connection or self._open()
        self._shorten_log(connection)
        body = codec.encode(events)
        row = (self._base + last, len(events), body)
        connection.execute("INSERT INTO batches (sequence, n, body) VALUES (?, ?, ?)", row)
        self._written = last
        self._bytes += len(body)

    def prune(self) -> None:
        """Deletes what was read, and what there is no room for; what cannot be deleted now will be later."""
        try:
            if self._connection is not None:
                self._prune(self._connection)
        except sqlite3.Error as error:
            self.give_up(error)

    def give_up(self, error: Exception) -> None:
        """Closes after an error; a damaged file is set aside, so that the next attempt begins a new one."""
        self.close()
        if files.is_damaged(error):
            try:
                files.set_aside(self._path, str(self._clock.now()))
            except OSError:
                log.exception("a damaged spool file could not be set aside")

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection:
        self._connection = connection = files.open_for_writing(self._path, self._log_pages)
        connection.execute("INSERT OR IGNORE INTO meta VALUES ('spool_id', ?)", (secrets.token_hex(8),))
        (self._spool_id,) = connection.execute("SELECT value FROM meta WHERE name = 'spool_id'").fetchone()
        (sequence,) = connection.execute("SELECT ifnull(max(sequence), 0) FROM batches").fetchone()
        (self._bytes,) = connection.execute("SELECT ifnull(sum(length(body)), 0) FROM batches").fetchone()
        self._base = sequence - self._written
        return connection

    def _shorten_log(self, connection: sqlite3.Connection) -> None:
        """SQLite does so by itself, but for a reader that stands still in the middle of its reading."""
        if files.log_bytes(self._path) > self._most_log_bytes:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            if files.log_bytes(self._path) > self._most_log_bytes:
                raise OSError("a reader that stands still keeps the log from being shortened")

    def _prune(self, connection: sqlite3.Connection) -> None:
        """The newest batch stays, for it carries the count."""
        if (read_up_to := self._read_acknowledged()) is not None:
            self._delete(connection, read_up_to)
        if self._bytes > self._most_bytes:
            self._make_room(connection)

    def _make_room(self, connection: sqlite3.Connection) -> None:
        surplus, chosen = self._bytes - self._most_bytes * 9 // 10, 0
        older = "SELECT id, n, length(body) FROM batches WHERE id < (SELECT max(id) FROM batches) ORDER BY id"
        for batch_id, n, size in connection.execute(older):
            if surplus <= 0:
                break
            chosen, surplus = batch_id, surplus - size
            self.dropped += n
        self._delete(connection, chosen)

    def _delete(self, connection: sqlite3.Connection, up_to: int) -> None:
        old = "id <= ? AND id < (SELECT max(id) FROM batches)"
        (size,) = connection.execute(
            f"SELECT ifnull(sum(length(body)), 0) FROM batches WHERE {old}", (up_to,)
        ).fetchone()
        connection.execute(f"DELETE FROM batches WHERE {old}", (up_to,))
        self._bytes -= size

    def _read_acknowledged(self) -> int | None:
        """The last batch that the reader has applied, if it said so since we last looked."""
        try:
            changed_at = self._acknowledged.stat().st_mtime_ns
            if changed_at == self._acknowledged_at:
                return None
            batch_id = json.loads(self._acknowledged.read_bytes()).get(self._spool_id)
        except (OSError, ValueError, AttributeError):
            return None
        self._acknowledged_at = changed_at
        return batch_id if isinstance(batch_id, int) else None
