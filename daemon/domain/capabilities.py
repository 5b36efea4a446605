"""Capabilities: what an upstream can be asked to do, as far as it was tried or is known of its version."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from daemon.domain.front import Front

INERT = frozenset({"quota-exceeded.switch-project", "quota-exceeded.switch-preview-model"})
"""Settings that all builds known today keep, show and never look at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What was learned once at the start, and anew when the upstream is another version; until then what is known."""

    version: str | None = None
    """What the upstream says it is, in the header of its management answers."""
    models: bool = False
    """It lists its models to us."""
    management: bool = False
    """Its management API takes our key."""
    routes: Mapping[str, bool] = field(default_factory=dict)
    """Which paths of the management API are served; one that is not here is not known, and is tried."""
    inert: frozenset[str] = INERT
    """Settings, by dotted name, that a write changes and nothing else."""
    hidden: frozenset[str] = frozenset()
    """Fields of a credential that it is not known to show: what is written there could not be read back."""
    settings: Mapping[str, bool] = field(default_factory=dict)
    """Of its settings, what matters to whoever watches: `usage-statistics-enabled`, `logging-to-file`."""
    front: Front = field(default_factory=Front)
    """What it shows without a management key."""

    @property
    def open_without_key(self) -> bool | None:
        """It serves whoever asks; None: nobody knows."""
        return self.front.open_without_key

    def shown(self) -> dict[str, Any]:
        """`upstream.capabilities` of the status."""
        return {
            "models": self.models,
            "management": self.management,
            "version": self.version,
            "routes": dict(sorted(self.routes.items())),
            "no_effect_known": sorted(self.inert),
            "not_shown": sorted(self.hidden),
            "settings": dict(sorted(self.settings.items())),
            "open_without_key": self.open_without_key,
            "healthz": self.front.healthz,
            "provider_metrics": self.front.provider_metrics,
        }
