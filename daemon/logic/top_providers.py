"""Top providers: those that carry most of the traffic of the last hours, and whether all of them are out of quota."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from daemon.domain.credential import CredentialFile
from daemon.domain.quota import QuotaReading

HOW_MANY = 2
HALF_LIFE_SECONDS = 7200.0
"""What was counted so long ago counts half."""
DISABLED = "disabled"


def traffic(before: Mapping[str, Any], figures: Mapping[str, Mapping[str, Any]], now: int) -> Mapping[str, Any]:
    """What is remembered of the traffic: `at` (epoch ms) and `requests` by provider, as plain JSON. While nothing comes
    it stays as it is."""
    counts = {key: one.get("request_count") or 0 for key, one in figures.items()}
    if not any(counts.values()):
        return before
    share = 0.5 ** (max(0, now - before.get("at", now)) / 1000 / HALF_LIFE_SECONDS)
    old = {key: value * share for key, value in before.get("requests", {}).items()}
    both = {key: round(old.get(key, 0) + counts.get(key, 0), 1) for key in sorted({*old, *counts})}
    return {"at": now, "requests": {key: value for key, value in both.items() if value >= 1}}


def top(remembered: Mapping[str, Any]) -> list[str]:
    """The providers with the most requests, the first one first; those that nobody can name are none."""
    requests = {key: value for key, value in remembered.get("requests", {}).items() if key != "unknown"}
    return sorted(requests, key=lambda key: (-requests[key], key))[:HOW_MANY]


def is_exhausted(
    provider_key: str, quota: Iterable[QuotaReading], credentials: Sequence[CredentialFile] | None
) -> bool | None:
    """Whether every credential of a provider that is in use is out of quota; None where nothing is known of any."""
    own = [one for one in quota if one.provider_key == provider_key and one.model_id is None]
    known = {one.auth_index or one.credential: one.quota_exhausted for one in own if one.refresh_state != DISABLED}
    listed = [one for one in credentials or () if one.provider_key == provider_key and not one.disabled]
    said = [*known.values(), *(None for one in listed if one.auth_index not in known)]
    return None if all(one is None for one in said) else all(said)
