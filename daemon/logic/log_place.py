"""Place in a log: from where on it is to be read, and which of its lines were read before.

A cursor says it where the upstream gives one. Elsewhere there is but a second: it is asked for again, and of its lines
hashes are remembered.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import Any, Self

from daemon.logic.upstream_past_log import lines_of

STAMP = slice(1, 20)
MOST_HASHES = 500
"""Of one second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Plain enough to be remembered as JSON."""

    cursor: str | None = None
    latest: int | None = None
    """Unix seconds, by the clock of the upstream: those of the newest line."""
    stamp: str = ""
    """The second of the newest line, as it is written there."""
    hashes: Mapping[str, int] = field(default_factory=dict)
    """How often each line of that second was read."""
    file: Mapping[str, int] | None = None
    """Where a file on this machine was read to."""

    @classmethod
    def of(cls, memory: Mapping[str, Any] | None) -> Self:
        return cls(**memory) if memory else cls()

    def data(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def is_first(self) -> bool:
        """Nothing was read yet."""
        return self.cursor is None and self.latest is None and self.file is None


def fresh(place: Place, logs: Mapping[str, Any]) -> tuple[list[str], Place]:
    """The lines of an answer that were not read before, and the place after them."""
    lines = lines_of(logs)
    is_exact = place.file is not None or (place.cursor is not None and not logs.get("cursor-reset"))
    new = lines if is_exact else _unread(place, lines, again=bool(logs.get("cursor-reset")))
    return new, _after(place, lines, logs)


def _unread(place: Place, lines: list[str], *, again: bool) -> list[str]:
    """`again`: the log is told from its beginning."""
    left = Counter(place.hashes)
    new = []
    for line in lines:
        if again and line[STAMP] < place.stamp:
            continue
        if line[STAMP] == place.stamp and left[mark := _hash(line)] > 0:
            left[mark] -= 1
            continue
        new.append(line)
    return new


def _after(place: Place, lines: list[str], logs: Mapping[str, Any]) -> Place:
    latest, cursor, file = logs.get("latest-timestamp"), logs.get("next-cursor"), logs.get("file")
    stamp = next((line[STAMP] for line in reversed(lines) if line.startswith("[")), place.stamp)
    marks = Counter(_hash(line) for line in lines if line[STAMP] == stamp)
    older = Counter(place.hashes) if stamp == place.stamp else Counter[str]()
    return Place(
        cursor=cursor if isinstance(cursor, str) and cursor else None,
        latest=max(latest, place.latest or 0) if isinstance(latest, int) else place.latest,
        stamp=stamp,
        hashes=dict(sorted((marks | older).items())[:MOST_HASHES]),
        file=file if isinstance(file, dict) else None,
    )


def _hash(line: str) -> str:
    return sha256(line.encode(errors="replace")).hexdigest()[:16]
