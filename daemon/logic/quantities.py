"""Quantities as vendors write them: numbers in text, instants in four ways, spans; what makes no sense is None."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

MOST_SECONDS = 32 * 86_400.0
"""No quota is kept for longer than a month: what comes back later was not understood."""
_SPAN = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[dhms]))+")
_SPAN_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[dhms])")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_MILLISECONDS_FROM = 1e11
"""A number above this is no instant in seconds: that would be the year 5138."""


def number(value: Any) -> float | None:
    """A finite number that is not negative."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) and found >= 0 else None


def percentage(value: Any, of: float = 100.0) -> float | None:
    """From 0 to 100; `of` is what is all."""
    found = number(value)
    return None if found is None or of <= 0 else min(round(found / of * 100, 6), 100.0)


def yes_or_no(value: Any) -> bool | None:
    """A boolean, or the word for one."""
    if isinstance(value, str):
        return {"true": True, "1": True, "false": False, "0": False}.get(value.strip().lower())
    return value if isinstance(value, bool) else None


def span(value: Any) -> float | None:
    """Seconds, out of a number of them or of `6m0s`."""
    if isinstance(value, str) and _SPAN.fullmatch(value):
        return _believed(sum(float(count) * _UNITS[unit] for count, unit in _SPAN_PART.findall(value)))
    return _believed(number(value))


def instant(value: Any) -> int | None:
    """Epoch ms, out of RFC 3339, an HTTP date, or a number of seconds or milliseconds since 1970."""
    if (since := number(value)) is not None:
        return round(since if since > _MILLISECONDS_FROM else since * 1000)
    if not isinstance(value, str):
        return None
    for read in (_rfc3339, parsedate_to_datetime):
        try:
            return round(read(value).timestamp() * 1000)
        except (ValueError, TypeError, OverflowError):
            continue
    return None


def until(value: Any, now: int) -> float | None:
    """Seconds from `now` (epoch ms) to an instant that is still to come."""
    at = instant(value)
    return None if at is None or at <= now else _believed((at - now) / 1000)


def part(value: Any, *names: str) -> Mapping[str, Any]:
    """An object within an object; an empty one where there is none."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def parts(value: Any) -> list[Mapping[str, Any]]:
    """The objects of a list."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _rfc3339(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _believed(seconds: float | None) -> float | None:
    return seconds if seconds is not None and seconds <= MOST_SECONDS else None
