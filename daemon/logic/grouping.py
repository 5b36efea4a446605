"""Grouping: which alerts share a message, who hears it, and which alert tells an episode's story."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from daemon.domain.alert import Alert
from daemon.domain.alerts_config import AlertsConfig, Receiver, Route


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One episode as its readers see it: a firing critical tells it alone, its warning is mute."""

    alert: Alert
    """The highest that fires; when none does, the one that ended last."""
    opened_at: int
    """Epoch ms."""
    fingerprints: frozenset[str]


def group_key(alert: Alert, route: Route) -> str:
    """`{alert="ProviderRateLimited",provider_key="codex"}`; a label that the alert does not have is empty there.

    Both severities of an episode are in one group, whatever `group_by` says.
    """
    labels = {**dict(alert.labels), "alert": alert.alert}
    pairs = (f"{name}={json.dumps(labels.get(name, ''), ensure_ascii=False)}" for name in route.group_by)
    return f"{{{','.join(pairs)}}}"


def receiver_of(config: AlertsConfig, name: str | None = None) -> Receiver:
    """The receiver of that name; where there is none (any more), the route's; it may have no URLs."""
    wanted = config.receiver(name) if name else None
    return wanted or config.receiver(config.route.receiver) or Receiver(name=config.route.receiver)


def stories(alerts: Iterable[Alert]) -> dict[str, Story]:
    """The story of each episode."""
    episodes: dict[str, list[Alert]] = {}
    for alert in alerts:
        episodes.setdefault(alert.episode, []).append(alert)
    return {episode: _story(members) for episode, members in episodes.items()}


def _story(members: list[Alert]) -> Story:
    teller = max(members, key=lambda alert: (alert.is_firing, _ended(alert), alert.severity.rank))
    firing = [alert.fired_at for alert in members if alert.is_firing and alert.fired_at is not None]
    return Story(
        alert=teller,
        opened_at=min(firing, default=teller.fired_at or teller.since),
        fingerprints=frozenset(alert.fingerprint for alert in members),
    )


def _ended(alert: Alert) -> int:
    return 0 if alert.is_firing else alert.resolved_at or 0
