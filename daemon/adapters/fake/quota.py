"""Quotas of the fake upstream: what somebody said that its credentials have left, in the words of each who tells of it.

Those are the vendors' headers in the list of credentials, the endpoint for kiro with its traps, and the vendors' own
answers to `api-call`. Of what nobody set nothing is told.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

from pydantic import Field, TypeAdapter

from daemon.adapters.fake.credentials import Credential, Credentials
from daemon.adapters.fake.record import Records
from daemon.domain.alerts_config import Strict
from daemon.domain.units import Duration
from daemon.ports import Clock

Answer = tuple[int, Mapping[str, Any]]
"""A status and a body."""

KIRO = "kiro"
WHAM, OAUTH_USAGE = "https://chatgpt.com/backend-api/wham/usage", "https://api.anthropic.com/api/oauth/usage"


class Quota(Strict):
    """What is used of one credential, in percent, in each of the two windows that its vendor has."""

    used: float = Field(0.0, ge=0, le=100)
    resets_in: Duration = 3600.0
    week: float = Field(0.0, ge=0, le=100)
    week_resets_in: Duration = 345_600.0
    models: dict[str, float] = Field({})
    """What is used of what is counted of one model alone."""
    cooldown: Duration | None = None
    """The upstream has been told that nothing is left, and leaves it alone for so long."""
    is_unknown: bool = False
    """The endpoint for kiro knows of this credential, and of no usage of it."""


_QUOTAS = TypeAdapter(dict[str, Quota])


class Quotas:
    """By globs over the names of credentials; the first that fits counts."""

    def __init__(self, clock: Clock, records: Records, credentials: Credentials) -> None:
        self._clock = clock
        self._records = records
        self._credentials = credentials
        self.reset()

    def reset(self) -> None:
        """Nothing is known of any."""
        self._set: dict[str, Quota] = {}
        self._set_at = 0

    def set(self, data: Any) -> None:
        """In place of all that was set. Raises `ValidationError`, which is a ValueError."""
        self._set, self._set_at = _QUOTAS.validate_python(data), self._clock.now()

    def shown(self) -> Any:
        """As it was set."""
        return _QUOTAS.dump_python(self._set, mode="json", exclude_defaults=True)

    def of(self, credential: Credential) -> Quota | None:
        """What was set of it."""
        return next((quota for glob, quota in self._set.items() if fnmatchcase(credential.name, glob)), None)

    # ---- the list of credentials ---------------------------------------------------------------------------------

    def signals(self, credential: Credential) -> dict[str, Any]:
        """`quota` and `model_quotas`: what the vendor said when it last answered."""
        quota, headers = self.of(credential), _HEADERS.get(credential.provider)
        if quota is None or headers is None:
            return {}
        at = self._heard_at(credential)
        told = {"observed_at": _written(at), "signals": headers(quota, at)}
        models = {
            model: {"observed_at": _written(at), "signals": headers(quota.model_copy(update={"used": used}), at)}
            for model, used in quota.models.items()
        }
        return {"quota": told, **({"model_quotas": models} if models else {})}

    def cooldown(self, credential: Credential, *, shows_retry: bool) -> dict[str, Any]:
        """How a credential is listed that the upstream leaves alone for its quota."""
        quota = self.of(credential)
        ends = self._set_at + round(((quota and quota.cooldown) or 0) * 1000)
        if ends <= self._clock.now():
            return {}
        told = {"unavailable": True, "status": "error", "status_message": "quota exhausted"}
        return {**told, **({"next_retry_after": _written(ends)} if shows_retry else {})}

    def _heard_at(self, credential: Credential) -> int:
        """When it last served, or when somebody set it."""
        return max(
            [self._set_at, *(one.at for one in self._records.requests if one.auth_index == credential.auth_index)]
        )

    # ---- kiro ----------------------------------------------------------------------------------------------------

    def kiro(self, auth_index: str | None) -> Answer:
        """An index that it does not know is answered with the first; what it does not know reads as used up."""
        those = [one for one, _ in self._credentials.listed() if one.provider == KIRO]
        if not those:
            return 400, {"error": "no kiro credential found", "auth_index": auth_index}
        credential = next((one for one in those if auth_index in (one.auth_index, one.name)), those[0])
        quota = self.of(credential) or Quota(is_unknown=True)
        used = 100.0 if quota.is_unknown else quota.used
        row = {
            "resourceType": "AGENTIC_REQUEST",
            "usageLimitWithPrecision": 50.0,
            "currentUsageWithPrecision": used / 2,
        }
        return 200, {
            "auth_index": credential.auth_index,
            "profile_arn": "arn:aws:codewhisperer:us-east-1:000000000000:profile/FAKE",
            "remaining_quota": 50.0 - used / 2,
            "usage_percentage": used,
            "quota_exhausted": used >= 100,
            "usage": {
                "usageBreakdownList": [] if quota.is_unknown else [row],
                "nextDateReset": (self._set_at or self._clock.now()) / 1000 + quota.resets_in,
            },
        }

    # ---- vendors -------------------------------------------------------------------------------------------------

    def call(self, body: Mapping[str, Any]) -> Answer:
        """What a vendor answers when it is asked with one of the credentials."""
        for name in ("method", "url"):
            if not body.get(name):
                return 400, {"error": f"missing {name}"}
        credential = self._credentials.find(body.get("auth_index"))
        if credential is None:
            return 400, {"error": "auth token not found"}
        header = body.get("header")
        if not isinstance(header, dict) or "$TOKEN$" not in str(header.get("Authorization")):
            return 200, {"status_code": 401, "header": {}, "body": "{}"}
        quota, tell = self.of(credential), _PAYLOADS.get(str(body["url"]))
        if quota is None or tell is None:
            return 200, {"status_code": 404, "header": {}, "body": ""}
        return 200, {"status_code": 200, "header": {}, "body": json.dumps(tell(quota, self._clock.now(), self._set_at))}


def _written(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat().replace("+00:00", "Z")


def _codex_headers(quota: Quota, at: int) -> dict[str, str]:
    return {
        "X-Codex-Plan-Type": "plus",
        "X-Codex-Primary-Used-Percent": f"{quota.used:g}",
        "X-Codex-Primary-Window-Minutes": "300",
        "X-Codex-Primary-Reset-After-Seconds": f"{quota.resets_in:.0f}",
        "X-Codex-Secondary-Used-Percent": f"{quota.week:g}",
        "X-Codex-Secondary-Window-Minutes": "10080",
        "X-Codex-Secondary-Reset-At": f"{at // 1000 + quota.week_resets_in:.0f}",
    }


def _claude_headers(quota: Quota, at: int) -> dict[str, str]:
    told = {"5h": (quota.used, quota.resets_in), "7d": (quota.week, quota.week_resets_in)}
    base = "Anthropic-Ratelimit-Unified"
    headers = {f"{base}-Status": _status(max(quota.used, quota.week))}
    for window, (used, resets_in) in told.items():
        headers[f"{base}-{window}-Status"] = _status(used)
        headers[f"{base}-{window}-Utilization"] = f"{used / 100:g}"
        headers[f"{base}-{window}-Reset"] = f"{at // 1000 + resets_in:.0f}"
    return headers


def _status(used: float) -> str:
    return "rejected" if used >= 100 else "allowed"


def _wham(quota: Quota, now: int, set_at: int) -> dict[str, Any]:
    gone = (now - set_at) / 1000
    windows = (
        ("primary_window", quota.used, 18_000, quota.resets_in),
        ("secondary_window", quota.week, 604_800, quota.week_resets_in),
    )
    told = {
        name: {"used_percent": used, "limit_window_seconds": seconds, "reset_after_seconds": max(0.0, resets_in - gone)}
        for name, used, seconds, resets_in in windows
    }
    is_reached = max(quota.used, quota.week) >= 100
    return {"plan_type": "plus", "rate_limit": {"allowed": not is_reached, "limit_reached": is_reached, **told}}


def _oauth_usage(quota: Quota, now: int, set_at: int) -> dict[str, Any]:
    def window(used: float, resets_in: float) -> dict[str, Any]:
        return {"utilization": used, "resets_at": _written(set_at + round(resets_in * 1000))}

    return {
        "five_hour": window(quota.used, quota.resets_in),
        "seven_day": window(quota.week, quota.week_resets_in),
        "seven_day_opus": None,
    }


_HEADERS = {"codex": _codex_headers, "claude": _claude_headers}
_PAYLOADS = {WHAM: _wham, OAUTH_USAGE: _oauth_usage}
