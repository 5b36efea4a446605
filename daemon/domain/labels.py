"""Label sets: what tells one series of a rule from another, and the fingerprint of an alert."""

from collections.abc import Mapping
from hashlib import sha256

Labels = tuple[tuple[str, str], ...]
"""Sorted name-value pairs: hashable, and equal when they say the same."""


def labels_of(mapping: Mapping[str, str]) -> Labels:
    """A mapping as sorted pairs."""
    return tuple(sorted(mapping.items()))


def fingerprint(alert: str, labels: Labels, severity: str = "") -> str:
    """16 hex characters that name a rule's series and, with a severity, one alert of it; the same on every node."""
    text = "\x1f".join((alert, severity, *(f"{name}\x1e{value}" for name, value in labels)))
    return sha256(text.encode()).hexdigest()[:16]
