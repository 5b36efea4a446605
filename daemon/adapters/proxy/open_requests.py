"""The requests that are under way, in a mapped file: what a killed worker leaves there was never finished.

Writing to mapped memory costs no call, and the kernel keeps it when the process is gone.
"""

import mmap
import os
from pathlib import Path
from typing import NamedTuple

SLOTS = 2048
"""More requests at once are not remembered."""
SLOT_BYTES = 128


class Unfinished(NamedTuple):
    """A request that nobody finished. `started_at` is UTC epoch ms."""

    started_at: int
    method: str
    endpoint: str
    wire: str


class OpenRequests:
    """Of one worker. A slot holds its record's length, then the record; 0: it is free."""

    def __init__(self, path: Path) -> None:
        """Raises OSError."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(descriptor, SLOTS * SLOT_BYTES)
            self._slots = mmap.mmap(descriptor, SLOTS * SLOT_BYTES)
        finally:
            os.close(descriptor)
        self._free = list(range(0, SLOTS * SLOT_BYTES, SLOT_BYTES))

    def unfinished(self) -> list[Unfinished]:
        """What a former process left. To be asked once, before any `enter`."""
        left = [self._read(place) for place in self._free if self._slots[place]]
        self._slots[:] = bytes(len(self._slots))
        return [one for one in left if one is not None]

    def enter(self, started_at: int, about: bytes) -> int | None:
        """Its place, for `leave`; `about` comes from `about`."""
        if not self._free:
            return None
        place = self._free.pop()
        record = b"%d %b" % (started_at, about)
        end = place + 1 + len(record)
        self._slots[place + 1 : end] = record
        self._slots[place] = len(record)
        return place

    def leave(self, place: int | None) -> None:
        """It has come to its end."""
        if place is not None:
            self._slots[place] = 0
            self._free.append(place)

    def close(self) -> None:
        self._slots.close()

    def _read(self, place: int) -> Unfinished | None:
        record = self._slots[place + 1 : place + 1 + self._slots[place]].decode(errors="replace")
        started_at, _, rest = record.partition(" ")
        told = rest.split(" ")
        return Unfinished(int(started_at), *told) if started_at.isdecimal() and len(told) == 3 else None


def about(method: str, endpoint: str, wire: str) -> bytes:
    """What is remembered of a request besides its start; empty when there is no room for it."""
    told = f"{method} {endpoint} {wire}".encode(errors="replace")
    return told if len(told) <= SLOT_BYTES - 20 and told.count(b" ") == 2 else b""
