"""`provider_metrics`: the upstream's own figures of its providers, where it keeps any; ours are at the same path."""

from collections.abc import Sequence

from daemon.domain.alerts_config import ProbeOptions
from daemon.domain.probe import Ask, Door, Reply
from daemon.logic.probe import Found, Sight, told

EXAMPLE = """\
provider_metrics: {every: 5m}
"""
COSTS = False
PATH = "/v1/metrics/providers"


class ProviderMetricsOptions(ProbeOptions):
    """Asks once in an interval; needs no key where it is served."""


def requests(options: ProviderMetricsOptions, sight: Sight) -> Sequence[Ask]:
    """One path, without a key; nothing of an upstream that does not list it among what it serves."""
    is_missing = sight.capabilities.front.provider_metrics is False
    return [] if is_missing else [Ask(door=Door.UPSTREAM, path=PATH, client="")]


def verdict(options: ProviderMetricsOptions, sight: Sight, replies: Sequence[Reply]) -> Found:
    """Most builds lack it, which is nothing bad; those that have it mostly have nothing in it."""
    reply = replies[0] if replies else Reply(status=404)
    figures = reply.json() if reply.ok else None
    if not isinstance(figures, dict):
        said = reply.error or f"the upstream does not serve {PATH} (status {reply.status})"
        return Found(results=[told("provider_metrics", sight, None, said)])
    count = sum(isinstance(one, dict) for one in figures.values())
    return Found(results=[told("provider_metrics", sight, True, value=float(count))])


OPTIONS = ProviderMetricsOptions
