"""Quota: what one credential has left, as the upstream says it; the names are the runbook's."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaReading:
    """One look at one credential, of one model where quotas are kept by model. What is not known is None."""

    provider_key: str
    auth_index: str | None = None
    credential: str | None = None
    model_id: str | None = None
    quota_remaining: float | None = None
    """In the upstream's own units."""
    quota_exhausted: bool | None = None
    usage_percentage: float | None = None
    """From 0 to 100."""
    quota_reset_seconds: float | None = None
    refresh_state: str | None = None
    observed_at: int
    """Epoch ms."""
    source: str
    """Where it was read: a probe, a header, the usage queue."""

    @property
    def emitted_at(self) -> int:
        return self.observed_at
