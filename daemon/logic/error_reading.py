"""Reads an error out of any vendor's shape, whichever wire it came on: what passes through is not translated."""

import re
from typing import Any

import msgspec

from daemon.domain.facts import ErrorFacts
from daemon.logic.json_peek import DECODE_ERRORS, decode, inside

MOST_BELIEVED_SECONDS = 7 * 86400.0
"""Resets further away are capped: the longest window that vendors have is a week."""

_ANYTHING = msgspec.json.Decoder(Any)
_MOST_MESSAGE = 500
_SPAN = r"(?:\d{1,9}(?:\.\d{1,9})?(?:h|ms|m|s))+"
_SPAN_PART = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_WAIT_IN_WORDS = re.compile(rf"(?:(?:try again|retry) (?:in|after)|in cooldown for) ({_SPAN})", re.IGNORECASE)


def read_error(body: bytes, status: int | None = None) -> ErrorFacts:
    """Never raises. `status` is that of the response; inside a stream, what the error itself says of it."""
    value: Any
    try:
        value = decode(_ANYTHING, body)
    except DECODE_ERRORS:
        value = body[: 4 * _MOST_MESSAGE].decode(errors="replace").strip()
    if isinstance(value, list):
        value = value[0] if value else {}
    if isinstance(value, dict) and isinstance(value.get("response"), dict):
        value = value["response"]
    flat = isinstance(inside(value, "error"), str)
    status = status or _status(inside(value, "status"))
    for name in ("error", "detail"):
        told = inside(value, name)
        if isinstance(told, dict | str):
            value = told
            break
    return _from_object(value, status) if isinstance(value, dict) else _from_text(value, status, flat=flat)


def _from_text(value: Any, status: int | None, *, flat: bool) -> ErrorFacts:
    message = value[:_MOST_MESSAGE] if isinstance(value, str) else ""
    return ErrorFacts(status=status, message=message, flat=flat, retry_after_seconds=_wait_in_words(message))


def _from_object(error: dict[str, Any], status: int | None) -> ErrorFacts:
    details = [detail for detail in _list(error.get("details")) if isinstance(detail, dict)]
    message = _first_text(error.get("message"), error.get("Message"))[:_MOST_MESSAGE]
    delays = (_seconds(detail.get("retryDelay")) for detail in details)
    resets = (
        _seconds(place.get("quotaResetDelay"))
        for detail in details
        for place in (detail, detail.get("metadata") or {})
        if isinstance(place, dict)
    )
    return ErrorFacts(
        status=status or _status(error.get("code")) or _status(error.get("status")),
        type=_first_text(error.get("type"), error.get("status"), error.get("__type")),
        code=_first_text(error.get("code"), *(detail.get("reason") for detail in details)),
        message=message,
        retry_after_seconds=_first_number(*delays) or _wait_in_words(message),
        quota_reset_seconds=_first_number(
            _seconds(error.get("reset_seconds")), _seconds(error.get("resets_in_seconds")), *resets
        ),
    )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _first_text(*values: Any) -> str:
    return next((value for value in values if isinstance(value, str) and value), "")


def _first_number(*values: float | None) -> float | None:
    return next((value for value in values if value is not None), None)


def _status(value: Any) -> int | None:
    return value if type(value) is int and 400 <= value < 600 else None


def _seconds(value: Any) -> float | None:
    """A number of seconds, or a span such as `12.3s` or `1h2m3s`."""
    if isinstance(value, str) and re.fullmatch(_SPAN, value):
        value = sum(float(number) * _SECONDS[unit] for number, unit in _SPAN_PART.findall(value))
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        return None
    return min(float(value), MOST_BELIEVED_SECONDS)


def _wait_in_words(message: str) -> float | None:
    """`Please try again in 2.5s.` is the only hint that some vendors give."""
    match = _WAIT_IN_WORDS.search(message)
    return _seconds(match[1]) if match else None
