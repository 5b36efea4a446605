"""Reads a usage record of the upstream, and leaves behind what must not be kept: keys, accounts, addresses."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from daemon.domain.joined import UsageRecord
from daemon.domain.thinking import ThinkingSetting
from daemon.logic.json_peek import text
from daemon.logic.thinking_reading import from_effort

_QUOTA_HEADER = re.compile(r"x-codex-|anthropic-ratelimit-|x-ratelimit-|retry-after$", re.IGNORECASE)
_REQUEST_ID = re.compile(r"[0-9a-f]{8}")


def read_record(told: Any) -> UsageRecord | None:
    """None for what is no record of a call: a word of the channel itself, or a warm-up that generates nothing."""
    if not isinstance(told, Mapping) or "timestamp" not in told or told.get("generate") is False:
        return None
    at, request_id = _instant(told["timestamp"]), text(told.get("request_id")) or ""
    if at is None or not _REQUEST_ID.fullmatch(request_id):
        return None
    tokens = told.get("tokens")
    reasoning = tokens.get("reasoning_tokens") if isinstance(tokens, Mapping) else None
    return UsageRecord(
        request_id=request_id,
        at=at,
        provider_key=text(told.get("provider")) or "unknown",
        auth_index=text(told.get("auth_index")),
        requested_model=text(told.get("alias")) or text(told.get("model")),
        endpoint=text(told.get("endpoint")) or "",
        failed=told.get("failed") is True,
        thinking=_thinking(told.get("reasoning_effort")),
        reasoning_tokens=reasoning if type(reasoning) is int else None,
        headers=_headers(told.get("response_headers")),
    )


def _thinking(effort: Any) -> ThinkingSetting | None:
    return from_effort(effort) if effort else None


def _headers(told: Any) -> dict[str, Sequence[str]]:
    if not isinstance(told, Mapping):
        return {}
    lists = {name: [value] if isinstance(value, str) else value for name, value in told.items()}
    return {
        name: [one for one in texts if isinstance(one, str)]
        for name, texts in lists.items()
        if isinstance(texts, list) and _QUOTA_HEADER.match(name)
    }


def _instant(told: Any) -> int | None:
    try:
        return round(datetime.fromisoformat(told).timestamp() * 1000)
    except (TypeError, ValueError):
        return None
