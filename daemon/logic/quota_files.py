"""Quota as the upstream's list of credentials tells it: its own state of each, and the vendor's headers beside it."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

from daemon.domain.quota import QuotaReading
from daemon.logic.quantities import instant, part, parts, until
from daemon.logic.quota_headers import BRIEF_SECONDS, readings_from_headers

FILES, COOLDOWN, SIGNALS = "auth_files", "cooldown", "signals"
"""Sources: how refreshing goes, that the upstream rests a credential for its quota, and headers of its vendor."""
ACTIVE, STALE, EXPIRED, DISABLED = "active", "stale", "expired", "disabled"
_QUOTA_WORDS = ("quota exhausted", "usage_limit_reached", "insufficient_quota")


def readings_from_files(
    answer: Any, now: int, stale_after: float, *, resting: Mapping[str, int], exhausted: Collection[str]
) -> list[QuotaReading]:
    """All of one answer of `auth-files`. An active credential is `stale` when it was not refreshed for so many seconds.

    `resting` says since when each is known to rest (epoch ms), by index: the upstream does not look again meanwhile, so
    whoever has read something since knows better. `exhausted` are the indexes of those that were last known to be; of
    others, that they serve says nothing of what is left.
    """
    files = parts(answer.get("files")) if isinstance(answer, dict) else []
    found: list[QuotaReading] = []
    for file in files:
        index = file.get("auth_index")
        if isinstance(index, str) and index:
            found.append(_own(file, now, stale_after))
            found += _rest(file, now, resting.get(index, now), was_exhausted=index in exhausted)
            found += _signals(file, now)
    return found


def _own(file: Mapping[str, Any], now: int, stale_after: float) -> QuotaReading:
    return QuotaReading(
        **_whose(file),
        quota_reset_seconds=until(file.get("next_retry_after"), now),
        refresh_state=_refresh_state(file, now, stale_after),
        observed_at=now,
        source=FILES,
    )


def _whose(file: Mapping[str, Any]) -> dict[str, Any]:
    provider = file.get("provider") or file.get("type")
    name = file.get("name")
    return {
        "provider_key": provider if isinstance(provider, str) and provider else "unknown",
        "auth_index": file["auth_index"],
        "credential": name if isinstance(name, str) and name else None,
    }


def _rest(file: Mapping[str, Any], now: int, since: int, *, was_exhausted: bool) -> Iterator[QuotaReading]:
    """It is left alone for its quota, and for longer than a limit of pace lasts; or not any more."""
    wait = until(file.get("next_retry_after"), now)
    said = str(file.get("status_message") or "").lower()
    if file.get("unavailable") is True and wait is not None and wait > BRIEF_SECONDS:
        if any(word in said for word in _QUOTA_WORDS):
            reset = until(file["next_retry_after"], since)
            yield _rough(file, True, since, quota_reset_seconds=reset)
    elif was_exhausted and wait is None and file.get("status") == ACTIVE and file.get("unavailable") is False:
        yield _rough(file, False, now)


def _rough(file: Mapping[str, Any], exhausted: bool, at: int, **more: Any) -> QuotaReading:
    return QuotaReading(**_whose(file), quota_exhausted=exhausted, observed_at=at, source=COOLDOWN, **more)


def _refresh_state(file: Mapping[str, Any], now: int, stale_after: float) -> str | None:
    if file.get("disabled") is True:
        return DISABLED
    if file.get("expired") is True:
        return EXPIRED
    status = file.get("status")
    refreshed = instant(file.get("last_refresh"))
    if status == ACTIVE and refreshed is not None and now - refreshed > stale_after * 1000:
        return STALE
    return status if isinstance(status, str) and status else None


def _signals(file: Mapping[str, Any], now: int) -> Iterator[QuotaReading]:
    yield from _heard(file, part(file, "quota"), now)
    for model, heard in part(file, "model_quotas").items():
        for reading in _heard(file, heard, now):
            yield replace(reading, model_id=str(model))


def _heard(file: Mapping[str, Any], heard: Any, now: int) -> tuple[QuotaReading, ...]:
    """What the vendor said when it last answered; without knowing when that was it says nothing."""
    at = instant(part(heard).get("observed_at"))
    if at is None:
        return ()
    signals = {name: value for name, value in part(heard, "signals").items() if isinstance(value, str | list)}
    return readings_from_headers(signals, **_whose(file), observed_at=min(at, now), source=SIGNALS)
