"""Quota as the vendors tell it themselves, asked through the upstream with its credential: nothing here is documented.

Every field may be missing and every address may end: what is not understood is not known.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from daemon.domain.probe import Ask, Door, Reply
from daemon.domain.quota import QuotaReading
from daemon.logic.quantities import number, part, parts, percentage, span, until
from daemon.logic.quota_headers import Make

PATH = "api-call"
SOURCE = "vendor"
PATIENCE_SECONDS = 35.0
_TOKEN = {"Authorization": "Bearer $TOKEN$"}
"""The upstream puts the credential's token there; we never see it."""

Read = Callable[[Mapping[str, Any], Make, int], Iterable[QuotaReading]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """Where one of them is asked, and how its answer is read."""

    url: str
    read: Read
    method: str = "GET"
    header: Mapping[str, str] = field(default_factory=dict)
    data: str | None = None


def ask(provider_key: str, auth_index: str) -> Ask:
    """One credential's quota. Raises KeyError for a provider that is not in `VENDORS`."""
    vendor = VENDORS[provider_key]
    body = {"auth_index": auth_index, "method": vendor.method, "url": vendor.url, "header": {**_TOKEN, **vendor.header}}
    if vendor.data is not None:
        body["data"] = vendor.data
    return Ask(door=Door.MANAGEMENT, method="POST", path=PATH, body=body, patience_seconds=PATIENCE_SECONDS)


def read(
    reply: Reply, provider_key: str, auth_index: str, credential: str | None, now: int
) -> tuple[tuple[QuotaReading, ...], str]:
    """What the vendor says, a reading for each window; nothing, and why, where it says nothing. `now` is epoch ms."""
    said = part(reply.json() if reply.ok else None)
    status = said.get("status_code")
    if not said or status != 200:
        return (), reply.error or f"the vendor could not be asked (status {status or reply.status})"
    make: Make = partial(
        QuotaReading,
        provider_key=provider_key,
        auth_index=auth_index,
        credential=credential,
        observed_at=now,
        source=SOURCE,
    )
    found = tuple(one for one in VENDORS[provider_key].read(_decoded(said.get("body")), make, now) if one.tells)
    return found, "" if found else "the vendor's answer says nothing of a quota"


def _decoded(body: Any) -> Mapping[str, Any]:
    try:
        return part(json.loads(body) if isinstance(body, str) else body)
    except (ValueError, RecursionError):
        return {}


def _codex(said: Mapping[str, Any], make: Make, now: int) -> Iterable[QuotaReading]:
    """Besides the windows of the account, those of features that are counted by themselves, such as Spark."""
    others = parts(said.get("additional_rate_limits"))
    limits: list[tuple[str | None, Mapping[str, Any]]] = [
        (None, part(said, "rate_limit")),
        *(
            (str(one.get("limit_name") or one.get("metered_feature")).lower(), part(one, "rate_limit"))
            for one in others
        ),
    ]
    for model, limit in limits:
        windows = [part(limit, name) for name in ("primary_window", "secondary_window")]
        used = [percentage(window.get("used_percent")) for window in windows]
        is_reached = limit.get("limit_reached") is True or limit.get("allowed") is False
        for window, one in zip(windows, used, strict=True):
            if one is not None:
                after = span(window.get("reset_after_seconds"))
                yield make(
                    model_id=model,
                    usage_percentage=one,
                    quota_exhausted=is_reached and (one >= 100 or 100.0 not in used),
                    quota_reset_seconds=until(window.get("reset_at"), now) if after is None else after,
                    window_seconds=span(window.get("limit_window_seconds")),
                )


_CLAUDE = {
    "five_hour": (None, 18_000.0),
    "seven_day": (None, 604_800.0),
    "seven_day_opus": ("claude-opus", 604_800.0),
    "seven_day_sonnet": ("claude-sonnet", 604_800.0),
}


def _claude(said: Mapping[str, Any], make: Make, now: int) -> Iterable[QuotaReading]:
    goes_on = part(said, "extra_usage").get("is_enabled") is True
    for name, (model, window) in _CLAUDE.items():
        used = percentage(part(said, name).get("utilization"))
        if used is not None:
            yield make(
                model_id=model,
                usage_percentage=used,
                quota_exhausted=used >= 100 and not goes_on,
                quota_reset_seconds=until(part(said, name).get("resets_at"), now),
                window_seconds=window,
            )


def _antigravity(said: Mapping[str, Any], make: Make, now: int) -> Iterable[QuotaReading]:
    for bucket in (one for group in parts(said.get("groups")) for one in parts(group.get("buckets"))):
        left = percentage(bucket.get("remainingFraction"), of=1.0)
        if left is not None:
            yield make(
                model_id=str(bucket.get("bucketId") or "") or None,
                usage_percentage=100 - left,
                quota_exhausted=left <= 0,
                quota_reset_seconds=until(bucket.get("resetTime"), now),
                window_seconds=span(bucket.get("window")),
            )


def _kimi(said: Mapping[str, Any], make: Make, now: int) -> Iterable[QuotaReading]:
    for one in [part(said, "usage"), *(part(limit, "detail") or limit for limit in parts(said.get("limits")))]:
        most, left = number(one.get("limit")), number(one.get("remaining"))
        if most and left is not None:
            yield make(
                quota_remaining=left,
                usage_percentage=percentage(max(0.0, most - left), of=most),
                quota_exhausted=left <= 0,
                quota_reset_seconds=until(one.get("resetTime"), now),
            )


def _xai(said: Mapping[str, Any], make: Make, now: int) -> Iterable[QuotaReading]:
    used = percentage(part(said, "config").get("creditUsagePercent"))
    return [make(usage_percentage=used, quota_exhausted=None if used is None else used >= 100)]


VENDORS: Mapping[str, Vendor] = {
    "codex": Vendor(
        url="https://chatgpt.com/backend-api/wham/usage", header={"User-Agent": "codex_cli_rs"}, read=_codex
    ),
    "claude": Vendor(
        url="https://api.anthropic.com/api/oauth/usage", header={"anthropic-beta": "oauth-2025-04-20"}, read=_claude
    ),
    "antigravity": Vendor(
        method="POST",
        url="https://daily-cloudcode-pa.googleapis.com/v1internal:retrieveUserQuotaSummary",
        header={"Content-Type": "application/json"},
        data="{}",
        read=_antigravity,
    ),
    "kimi": Vendor(url="https://api.kimi.com/coding/v1/usages", read=_kimi),
    "xai": Vendor(url="https://cli-chat-proxy.grok.com/v1/billing", read=_xai),
}
