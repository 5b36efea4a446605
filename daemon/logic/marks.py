"""What a request and its answer say about themselves in their heads: the client's key, the trace, when to come back."""

import re
from collections import OrderedDict
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from urllib.parse import unquote_to_bytes

REMEMBERED_SECONDS = 60.0
MOST_REMEMBERED = 4096

_TRACE = re.compile(r"\d{14}-(.+)-[0-9A-Fa-f]{8}")
_KNOWN_PATHS = frozenset({"/v1/models", "/v1beta/models"})


def client_key(sent: Mapping[bytes, bytes], query: bytes) -> bytes | None:
    """The key by which a client makes itself known, wherever it put it; for hashing only. Headers are by name."""
    authorization = sent.get(b"authorization", b"")
    if authorization[:7].lower() == b"bearer ":
        authorization = authorization[7:]
    key = authorization.strip() or sent.get(b"x-api-key") or sent.get(b"x-goog-api-key") or _queried(query)
    return key or None


def _queried(query: bytes) -> bytes:
    for wanted in (b"key", b"auth_token"):
        for pair in query.split(b"&"):
            name, _, value = pair.partition(b"=")
            if name == wanted and value:
                return unquote_to_bytes(value)
    return b""


def auth_index_of(trace_id: str) -> str | None:
    """Which credential the upstream used: `<14 digits>-<auth_index>-<8 hex digits>`."""
    match = _TRACE.fullmatch(trace_id)
    return match[1] if match else None


def retry_after_seconds(value: bytes, now: int) -> float | None:
    """A `Retry-After` header, as seconds or as a date; `now` is UTC epoch ms. None when it is neither."""
    text = value.decode("latin-1").strip()
    if text.replace(".", "", 1).isdecimal():
        return float(text)
    try:
        at = parsedate_to_datetime(text)
        return max(0.0, at.replace(tzinfo=at.tzinfo or UTC).timestamp() - now / 1000)
    except (ValueError, OverflowError):
        return None


def other_endpoint(path: str) -> str:
    """The endpoint of a request that no wire claims: a closed list, for clients choose paths freely."""
    return path if path in _KNOWN_PATHS else "other"


class Failures:
    """The turns that failed a short while ago: the same turn again is a retry. Bounded; times are monotonic seconds."""

    def __init__(self) -> None:
        self._failed: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def attempt(self, turn: str, now: float) -> int:
        """0 for a turn that is new, succeeded, or failed too long ago."""
        failed_at, attempt = self._failed.get(turn, (float("-inf"), 0))
        return attempt + 1 if now - failed_at <= REMEMBERED_SECONDS else 0

    def note(self, turn: str, attempt: int, *, failed: bool, now: float) -> None:
        """How an attempt ended."""
        self._failed.pop(turn, None)
        if failed:
            self._failed[turn] = (now, attempt)
            if len(self._failed) > MOST_REMEMBERED:
                self._failed.popitem(last=False)
