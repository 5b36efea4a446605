"""The log: lines on stderr, written by a thread of its own, so that a reader that hangs stops nobody."""

import atexit
import json
import logging
import os
import queue
import sys
import threading
from datetime import UTC, datetime

LONGEST_QUEUE = 2000
CLOSING_SECONDS = 1.0
FOREIGN = ("alembic", "apscheduler", "asyncio", "httpcore", "httpx", "sqlalchemy", "uvicorn")
"""Libraries are heard from WARNING on, whatever the level: below it some of them write URLs and headers."""
SYSLOG_LEVELS = ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))


def configure(level: str, format: str | None = None) -> None:  # noqa: A002
    """Sends all logging to stderr. `format` is `console` or `json`; None: console on a terminal, else json.

    Calling it again replaces what the first call set up."""
    fd = sys.stderr.fileno()
    chosen = format or ("console" if os.isatty(fd) else "json")
    handler = DroppingHandler(fd)
    handler.setFormatter(ConsoleFormatter() if chosen == "console" else JsonFormatter(prefix=_is_journal(fd)))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(level.upper())
    for name in FOREIGN:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(True)


class DroppingHandler(logging.Handler):
    """Formats at once, writes later; when the reader is too slow, lines are dropped and their number is told."""

    def __init__(self, fd: int) -> None:
        super().__init__()
        self._fd = fd
        self._lines: queue.Queue[str | None] = queue.Queue(LONGEST_QUEUE)
        self._dropped = 0
        self._writer = threading.Thread(target=self._write, name="log", daemon=True)
        self._writer.start()
        atexit.register(self.close)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            if self._dropped and not self._lines.full():
                dropped, self._dropped = self._dropped, 0
                self._lines.put_nowait(self.format(_notice(dropped)))
            self._lines.put_nowait(self.format(record))
        except queue.Full:
            self._dropped += 1
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        """Waits a moment for what is queued, never for a reader that hangs."""
        atexit.unregister(self.close)
        if self._writer.is_alive():
            try:
                self._lines.put(None, timeout=CLOSING_SECONDS)
                self._writer.join(CLOSING_SECONDS)
            except queue.Full:
                pass
        super().close()

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            data = (line + "\n").encode(errors="backslashreplace")
            try:
                while data:
                    data = data[os.write(self._fd, data) :]
            except OSError:
                continue


class JsonFormatter(logging.Formatter):
    """One object a line; under the journal with the priority that it understands."""

    def __init__(self, *, prefix: bool = False) -> None:
        super().__init__()
        self._prefix = prefix

    def format(self, record: logging.LogRecord) -> str:
        fields = {"at": _at(record), "level": record.levelname.lower(), "logger": record.name}
        fields["message"] = record.getMessage()
        if record.exc_info:
            fields["error"] = self.formatException(record.exc_info)
        line = json.dumps(fields, ensure_ascii=False)
        return f"<{_priority(record)}>{line}" if self._prefix else line


class ConsoleFormatter(logging.Formatter):
    """For eyes: a line each, and a traceback below where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        message = "".join(char if char.isprintable() else " " for char in record.getMessage())
        line = f"{_at(record)[11:23]} {record.levelname:<7} {record.name}: {message}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _notice(dropped: int) -> logging.LogRecord:
    text = "%d log lines were dropped: stderr was not read"
    return logging.LogRecord(__name__, logging.WARNING, __file__, 0, text, (dropped,), None)


def _at(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _priority(record: logging.LogRecord) -> int:
    return next((priority for level, priority in SYSLOG_LEVELS if record.levelno >= level), 7)


def _is_journal(fd: int) -> bool:
    stat = os.fstat(fd)
    return os.environ.get("JOURNAL_STREAM") == f"{stat.st_dev}:{stat.st_ino}"
