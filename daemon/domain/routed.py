"""Routed: where turns went, beside where they should have gone."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Routed:
    """The turns of clients for one model that one provider served, since this process began to count."""

    model: str
    expected: str
    """The provider that they should have gone to."""
    provider_key: str
    """The one that the upstream says it was."""
    turns: int
