"""The upstream's front: what it shows to a client, before anybody uses a management key."""

from dataclasses import dataclass

from daemon.domain.event import Wire


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """What a few requests found out. None: nobody knows."""

    dialect: Wire | None = None
    """In the manner of which wire it lists its models."""
    open_without_key: bool | None = None
    """It lists them to whoever asks."""
    healthz: bool | None = None
    """It serves `/healthz`."""
    introduces: bool = False
    """Its first page lists what it serves, as those do that have a management API."""
    provider_metrics: bool | None = None
    """It serves `/v1/metrics/providers`; known only of one that introduces itself."""
