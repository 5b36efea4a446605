"""Quota in a vendor's headers: those of Codex, those of Anthropic, and the `x-ratelimit` ones of many.

One reading for each window that they tell of; the quota book makes one truth of them.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from daemon.domain.quota import QuotaReading
from daemon.logic.quantities import number, percentage, span, until, yes_or_no

BRIEF_SECONDS = 120.0
"""What is back so soon is a limit of pace: having reached it is no exhausted quota."""

_CODEX = re.compile(
    r"x-codex-(?:([a-z0-9_]+)-)?(primary|secondary)-"
    r"(used-percent|window-minutes|reset-after-seconds|resets-in-seconds|reset-at)"
)
_UNIFIED = re.compile(r"anthropic-ratelimit-unified-(\d+)([hd])(?:[_-]([a-z0-9]+))?-(utilization|status|reset)")
_PACE = (
    re.compile(r"x-ratelimit-(limit|remaining|reset)-([a-z-]+)"),
    re.compile(r"x-ratelimit-(limit|remaining|reset)()"),
    re.compile(
        r"anthropic-ratelimit-(?P<what>requests|tokens|input-tokens|output-tokens)-(?P<said>limit|remaining|reset)"
    ),
)
_UNIT_SECONDS = {"h": 3600.0, "d": 86_400.0}

Words = Mapping[str, str]


class Make(Protocol):
    """Makes a reading of the credential that is read of."""

    def __call__(self, **fields: Any) -> QuotaReading: ...


def readings_from_headers(
    headers: Mapping[str, str | Sequence[str]],
    *,
    provider_key: str,
    auth_index: str | None,
    credential: str | None,
    observed_at: int,
    source: str,
) -> tuple[QuotaReading, ...]:
    """What one answer's headers, in any case, say of its credential; nothing where they do not speak of quota.

    `observed_at` (epoch ms) is when the vendor answered: spans are counted from then.
    """
    words = {name.lower(): _first(value) for name, value in headers.items()}
    make: Make = partial(
        QuotaReading,
        provider_key=provider_key,
        auth_index=auth_index,
        credential=credential,
        observed_at=observed_at,
        source=source,
    )
    found = [*_codex(words, make, observed_at), *_unified(words, make, observed_at)]
    return tuple(found or _pace(words, make, observed_at) or _retry(words, make, observed_at))


def _first(value: str | Sequence[str]) -> str:
    return (value if isinstance(value, str) else next(iter(value), "")).strip()


# ---- Codex -----------------------------------------------------------------------------------------------------------


def _codex(words: Words, make: Make, now: int) -> Iterator[QuotaReading]:
    """A limit of a model has a family of headers of its own, with a name beside it."""
    windows: defaultdict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for name, word in words.items():
        if match := _CODEX.fullmatch(name):
            windows[match[1] or "", match[2]][match[3]] = word
    for (family, _), said in windows.items():
        used = percentage(said.get("used-percent"))
        if used is not None:
            yield make(
                model_id=(words.get(f"x-codex-{family}-limit-name") or family).lower() or None,
                usage_percentage=used,
                quota_exhausted=_is_spent(used, {} if family else words),
                quota_reset_seconds=_codex_reset(said, now),
                window_seconds=(number(said.get("window-minutes")) or 0) * 60 or None,
            )


def _is_spent(used: float, words: Words) -> bool:
    """What is bought besides goes on when a window is used up."""
    if yes_or_no(words.get("x-codex-allowed")) is False or yes_or_no(words.get("x-codex-limit-reached")):
        return used >= 100 or not _is_any_full(words)
    has_more = (yes_or_no(words.get(f"x-codex-credits-{name}")) for name in ("has-credits", "unlimited"))
    return used >= 100 and not any(has_more)


def _is_any_full(words: Words) -> bool:
    used = (percentage(words.get(f"x-codex-{window}-used-percent")) for window in ("primary", "secondary"))
    return any(one is not None and one >= 100 for one in used)


def _codex_reset(said: Words, now: int) -> float | None:
    after = span(said.get("reset-after-seconds") or said.get("resets-in-seconds"))
    return until(said.get("reset-at"), now) if after is None else after


# ---- Anthropic -------------------------------------------------------------------------------------------------------


def _unified(words: Words, make: Make, now: int) -> Iterator[QuotaReading]:
    """Of a subscription: its windows, some of them of one family of models."""
    windows: defaultdict[tuple[str, str, str], dict[str, str]] = defaultdict(dict)
    for name, word in words.items():
        if match := _UNIFIED.fullmatch(name):
            windows[match[1], match[2], match[3] or ""][match[4]] = word
    overall = words.get("anthropic-ratelimit-unified-status", "")
    for (count, unit, family), said in windows.items():
        used = percentage(said.get("utilization"), of=1.0)
        yield make(
            model_id=f"claude-{family}" if family else None,
            usage_percentage=used,
            quota_exhausted=_is_rejected(said.get("status", ""), used, overall),
            quota_reset_seconds=until(said.get("reset"), now),
            window_seconds=float(count) * _UNIT_SECONDS[unit],
        )
    if overall and not windows:
        reset = until(words.get("anthropic-ratelimit-unified-reset"), now)
        yield make(quota_exhausted=overall == "rejected", quota_reset_seconds=reset)


def _is_rejected(status: str, used: float | None, overall: str) -> bool | None:
    """Who may go on at extra cost is allowed to, whatever the window says."""
    if overall.startswith("allowed"):
        return False
    if status:
        return status == "rejected"
    return None if used is None else used >= 100


# ---- limits of pace --------------------------------------------------------------------------------------------------


def _pace(words: Words, make: Make, now: int) -> list[QuotaReading]:
    """Of requests and of tokens; the one of which the least is left."""
    limits: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for name, word in words.items():
        for pattern in _PACE:
            if match := pattern.fullmatch(name):
                said = match.groupdict() or {"said": match[1], "what": match[2]}
                limits[said["what"]][said["said"]] = word
    found = [one for said in limits.values() if (one := _limit(said, make, now))]
    return sorted(found, key=lambda one: -(one.usage_percentage or 0.0))[:1]


def _limit(said: Words, make: Make, now: int) -> QuotaReading | None:
    left, most = number(said.get("remaining")), number(said.get("limit"))
    if left is None:
        return None
    reset = _pace_reset(said.get("reset"), now)
    return make(
        quota_remaining=left,
        usage_percentage=percentage(max(0.0, most - left), of=most) if most else None,
        quota_exhausted=left <= 0 and reset is not None and reset > BRIEF_SECONDS,
        quota_reset_seconds=reset,
    )


def _pace_reset(word: str | None, now: int) -> float | None:
    after = span(word)
    return until(word, now) if after is None else after


def _retry(words: Words, make: Make, now: int) -> list[QuotaReading]:
    """When it comes back, and nothing of what is left."""
    after = _pace_reset(words.get("retry-after"), now)
    return [] if after is None else [make(quota_reset_seconds=after)]
