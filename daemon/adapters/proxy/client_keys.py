"""The list of client keys that may pass: a file with the SHA-256 of one key a line, read again when it changes.

`printf %s "$KEY" | sha256sum` makes a line; what stands behind the hash, and lines that begin with `#`, are notes.
"""

import logging
import re
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from daemon.adapters.proxy.tap import Ask
from daemon.domain.errors import CannotStart
from daemon.logic.marks import client_key

log = logging.getLogger(__name__)

_LINE = re.compile(r"([0-9a-fA-F]{64})(?:\s.*)?")


class ClientKeys:
    """Raises `CannotStart` when there is no good list at first; later a bad one changes nothing."""

    def __init__(self, path: Path, is_canary: Callable[[Ask], bool]) -> None:
        self._path = path
        self._is_canary = is_canary
        self._seen: tuple[int, int] | None = None
        try:
            self._hashes = self._read()
        except (OSError, ValueError) as error:
            raise CannotStart(f"RUNBOOKD_PROXY_CLIENT_KEYS_FILE: {_why(error)}") from None

    def knows(self, ask: Ask) -> bool:
        """Whether the request carries a key of the list, or is one of our own."""
        key = client_key(ask.sent, ask.query)
        return (key is not None and sha256(key).hexdigest() in self._hashes) or self._is_canary(ask)

    def poll(self) -> None:
        """Reads the file if it is another one than before."""
        try:
            if self._mark() != self._seen:
                self._hashes = self._read()
        except (OSError, ValueError) as error:
            log.warning("the list of client keys stays as it was: %s", _why(error))

    def _mark(self) -> tuple[int, int]:
        status = self._path.stat()
        return status.st_mtime_ns, status.st_ino

    def _read(self) -> frozenset[str]:
        self._seen = self._mark()
        lines = enumerate(self._path.read_text().splitlines(), 1)
        return frozenset(
            self._hash(number, text) for number, line in lines if (text := line.strip()) and text[0] != "#"
        )

    def _hash(self, number: int, line: str) -> str:
        if match := _LINE.fullmatch(line):
            return match[1].lower()
        raise ValueError(f"{self._path}:{number}: not a SHA-256 in hex; `printf %s KEY | sha256sum` makes one")


def _why(error: Exception) -> str:
    return f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else str(error)
