"""Capabilities: what an upstream can be asked to do, as far as it was tried or is known of its version."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

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

    def shown(self) -> dict[str, Any]:
        """`upstream.capabilities` of the status."""
        return {
            "models": self.models,
            "management": self.management,
            "version": self.version,
            "routes": dict(sorted(self.routes.items())),
            "no_effect_known": sorted(self.inert),
            "not_shown": sorted(self.hidden),
        }
