"""Inventory: what an upstream says that it serves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

USUAL = "default"
"""The name of the client key that `RUNBOOKD_UPSTREAM_API_KEY` is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEntry:
    """One model of the upstream's inventory."""

    model_id: str
    owned_by: str | None = None


Lists = Mapping[str, Sequence[ModelEntry]]
"""What is served, by the name of the client key that was asked with."""
