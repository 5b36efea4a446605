"""What the fake upstream saw: facts of each request, with every secret left out, in memory only."""

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

KEPT = 20_000
SECRET_HEADERS = frozenset({"authorization", "x-api-key", "x-goog-api-key", "x-management-key", "cookie"})


@dataclass(slots=True, kw_only=True)
class Record:
    """One request; filled in while it is answered. `at` is epoch ms."""

    number: int
    at: int
    method: str
    path: str
    query: tuple[str, ...]
    """The names of the query's parameters."""
    headers: Mapping[str, str]
    """Names in lower case; what is secret reads `***`."""
    wire: str | None = None
    model: str | None = None
    stream: bool = False
    effort: str | None = None
    applied: str | None = None
    """The effort that is told of it afterwards, which may be another than was asked for."""
    is_popped: bool = False
    """Its usage record was taken off the queue."""
    body_bytes: int = 0
    body_sha256: str | None = None
    status: int | None = None
    fault: str | None = None
    ended: str | None = None
    """`complete`, `cut` (by the scenario) or `client_left`; None while it lasts."""
    auth_index: str | None = None
    """Of the credential that served it."""
    provider: str | None = None
    tokens: Mapping[str, int] = field(default_factory=dict)
    """What was counted, in the words of the usage statistics."""
    duration_ms: int | None = None


@dataclass(slots=True)
class Records:
    """The newest requests, and counts of all since the last reset."""

    requests: deque[Record] = field(default_factory=lambda: deque(maxlen=KEPT))
    total: int = 0

    def open(
        self, *, at: int, method: str, path: str, query: Iterable[str], headers: Iterable[tuple[str, str]]
    ) -> Record:
        """Notes a request that has just come in."""
        self.total += 1
        shown = {name: "***" if name in SECRET_HEADERS else value for name, value in headers}
        record = Record(number=self.total, at=at, method=method, path=path, query=tuple(query), headers=shown)
        self.requests.append(record)
        return record

    def clear(self) -> None:
        """Forgets everything."""
        self.requests.clear()
        self.total = 0

    def report(self, *, model: str | None, after: int, limit: int) -> dict[str, Any]:
        """The answer of `GET /_fake/requests`: counts per model and status, and the newest requests, oldest first."""
        chosen = [one for one in self.requests if one.number > after and model in (None, one.model)]
        counts: dict[str, Counter[str]] = {}
        for record in chosen:
            if record.model is not None:
                counts.setdefault(record.model, Counter())[str(record.status)] += 1
        return {"total": self.total, "counts": counts, "requests": [asdict(one) for one in chosen[-limit:]]}
