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
    """From `observed_at`; in what the quota book shows, from when it was asked."""
    refresh_state: str | None = None
    window_seconds: float | None = None
    """Of which of the upstream's windows this is told: 18000 is that of five hours."""
    empty_in_seconds: float | None = None
    """A forecast: when nothing is left, if it goes on as it went."""
    observed_at: int
    """Epoch ms."""
    source: str
    """Where it was read: a probe, a header, the usage queue."""

    @property
    def emitted_at(self) -> int:
        return self.observed_at

    @property
    def tells(self) -> bool:
        """It says something of what is left, and not only when it comes back."""
        return (self.quota_exhausted, self.usage_percentage, self.quota_remaining) != (None, None, None)

    @property
    def is_exact(self) -> bool:
        """It comes with a number."""
        return self.usage_percentage is not None or self.quota_remaining is not None
