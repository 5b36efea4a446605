"""A log on this machine: reads on where it was read to, also when it was rotated or cut off meanwhile. Blocking."""

import json
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from daemon.domain.probe import Reply

MOST_BYTES = 1 << 20
"""At once; of what is longer the newest is read."""
MOST_NEIGHBOURS = 1000


def read_log(path: str, place: Mapping[str, Any] | None) -> Reply:
    """Its new lines as the management API would give them, and under `file` the place after them. Never raises."""
    try:
        return _reply(Path(path), place or {})
    except OSError as error:
        return Reply(error=f"{path}: {error.strerror or type(error).__name__}")


def _reply(path: Path, place: Mapping[str, Any]) -> Reply:
    if not stat.S_ISREG(path.stat().st_mode):  # to open a pipe would wait for somebody who writes
        return Reply(error=f"{path}: is not a file")
    with path.open("rb") as file:
        now = os.fstat(file.fileno())
        offset = int(place.get("offset", 0)) if place.get("inode") == now.st_ino else 0
        text, end = _read(file, offset if offset <= now.st_size else 0)
    before = b"" if not place or place.get("inode") == now.st_ino else b"".join(_rest_of_rotated(path, place))
    logs = {
        "lines": (before + text).decode(errors="replace").splitlines(),
        "latest-timestamp": int(now.st_mtime),
        "file": {"inode": now.st_ino, "offset": end},
    }
    return Reply(status=200, body=json.dumps(logs).encode())


def _rest_of_rotated(path: Path, place: Mapping[str, Any]) -> Iterator[bytes]:
    """What was written to the file that had this name before, where it is still beside it."""
    with os.scandir(path.parent) as found:
        for _, entry in zip(range(MOST_NEIGHBOURS), found, strict=False):
            if entry.is_file(follow_symlinks=False) and entry.inode() == place.get("inode"):
                with Path(entry.path).open("rb") as file:
                    yield _read(file, int(place.get("offset", 0)))[0]


def _read(file: BinaryIO, offset: int) -> tuple[bytes, int]:
    """Whole lines, and where they end; a line that is still being written is left for the next time."""
    begin = max(offset, file.seek(0, os.SEEK_END) - MOST_BYTES)
    file.seek(begin)
    read = file.read(MOST_BYTES)
    first = read.find(b"\n") + 1 if begin > offset else 0
    end = read.rfind(b"\n") + 1
    return read[first:end], begin + end
