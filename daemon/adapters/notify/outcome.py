"""The outcome of one send by one channel, in words that hold no secret."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

NOT_TAKEN = "Apprise does not take this URL"
NOT_SENT = "the channel refused the message or could not be reached"
BROKEN = "the channel's plug-in failed"
LOOP = "leads back to our own proxy"
WAITING = frozenset({429, 503})
"""Statuses that may say how long to wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Without an error all is well."""

    error: str = ""
    retry_after: float | None = None
    """Seconds."""
    again: bool = False
    """Whether it is worth a second try at once."""


class _Noted(threading.local):
    """What was seen on the way of this thread's send."""

    loop = False
    retry_after: float | None = None


noted = _Noted()


def retry_after(status: int, headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, as an answer asks for them; None when it does not. An instant counts from the answer's own."""
    text = headers.get("retry-after", "").strip()
    if status not in WAITING or not text:
        return None
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        until, said = (parsedate_to_datetime(date) for date in (text, headers.get("date", "")))
        return max(0.0, (until - said).total_seconds())
    except (ValueError, TypeError):
        return None
