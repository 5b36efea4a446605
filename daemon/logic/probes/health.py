"""`health`: whether the upstream answers at all, at `/healthz` where it is served, else at its first page."""

from collections.abc import Sequence

from daemon.domain.probe import Ask, Reply
from daemon.logic.probe import Found, LookOptions, Sight, told

EXAMPLE = """\
health: {every: 60s}
"""
COSTS = False


class HealthOptions(LookOptions):
    """Judges each look at the upstream; no build serves `/health`."""


def requests(options: HealthOptions, sight: Sight) -> Sequence[Ask]:
    """The look has asked."""
    return []


def verdict(options: HealthOptions, sight: Sight, replies: Sequence[Reply]) -> Found:
    """Any answer that is not an error of the server will do."""
    said = "" if sight.reachable else "the upstream does not answer"
    return Found(results=[told("health", sight, sight.reachable, said)])


OPTIONS = HealthOptions
