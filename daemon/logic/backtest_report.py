"""The report of a backtest: from transitions, messages, mitigations and looks to the figures of each rule."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median

from daemon.domain.alert import Alert
from daemon.domain.alerts_config import Rule
from daemon.domain.backtest import Approach, Episode, Incident, Played, Report, RuleReport, Score, Span, Watch
from daemon.domain.labels import Labels
from daemon.domain.mitigation import Mitigation
from daemon.domain.notification import Notification, NotificationStatus

FLAP_MS = 600_000
UNWATCHED = Watch(seconds=0.0)

IsNight = Callable[[int], bool]
"""Whether people sleep at an instant (epoch ms)."""


def report(
    rules: Sequence[Rule], played: Played, is_night: IsNight, incidents: Sequence[Incident] | None = None
) -> Report:
    """Of these rules, in their order; a score where somebody said what the incidents were."""
    told, span = _delivered(played.notifications), played.span
    found = episodes(played.transitions, span)
    firing = {one: [episode for episode in found if episode.alert == one] for one in (rule.alert for rule in rules)}
    return Report(
        span=span,
        events=played.events,
        rules=tuple(_rule_report(rule, firing[rule.alert], played, told, is_night) for rule in rules),
        messages=len(told),
        messages_per_day=_per_day(len(told), span),
        messages_per_night=_per_day(_nightly(told, is_night), span),
        score=None if incidents is None else score(found, incidents),
        scores={} if incidents is None else _scores(firing, incidents),
    )


def episodes(transitions: Iterable[Alert], span: Span) -> list[Episode]:
    """What fired, by the time at which it began. Severities of one label set are one episode, whatever their turns."""
    firing: dict[str, dict[str, Alert]] = {}
    began: dict[str, int] = {}
    found: list[Episode] = []
    for row in transitions:
        levels = firing.setdefault(row.episode, {})
        if row.is_firing:
            levels[row.fingerprint] = row
            began.setdefault(row.episode, row.since)
        elif levels.pop(row.fingerprint, None) is not None and not levels:
            found.append(_episode(row, began.pop(row.episode), row.since))
    still = {row.episode: row for levels in firing.values() for row in levels.values()}
    found += [_episode(row, began[name], span.until, is_open=True) for name, row in still.items()]
    return sorted(found, key=lambda episode: (episode.since, episode.alert, episode.labels))


def _episode(row: Alert, since: int, until: int, *, is_open: bool = False) -> Episode:
    return Episode(alert=row.alert, labels=row.labels, since=since, until=until, is_open=is_open)


def score(found: Sequence[Episode], incidents: Sequence[Incident]) -> Score:
    """Which episodes were about an incident, which incidents nobody raised, and how early the others were raised."""
    met = {place: [one for one in found if incident.is_met_by(one)] for place, incident in enumerate(incidents)}
    leads = [(incidents[place].since - min(one.since for one in those)) / 1000 for place, those in met.items() if those]
    return Score(
        incidents=len(incidents),
        missed=tuple(incidents[place] for place, those in met.items() if not those),
        episodes=len(found),
        true_episodes=sum(any(incident.is_met_by(one) for incident in incidents) for one in found),
        median_lead_seconds=median(leads) if leads else None,
    )


def _scores(firing: Mapping[str, Sequence[Episode]], incidents: Sequence[Incident]) -> dict[str, Score]:
    own = {one.alert for one in incidents}
    return {
        alert: score(found, [one for one in incidents if one.alert in (None, alert)])
        for alert, found in firing.items()
        if found or alert in own
    }


# ---- one rule --------------------------------------------------------------------------------------------------------


def _rule_report(
    rule: Rule, found: Sequence[Episode], played: Played, told: Sequence[Notification], is_night: IsNight
) -> RuleReport:
    span, alert = played.span, rule.alert
    seconds = [episode.seconds for episode in found]
    names = {row.episode for row in played.transitions if row.alert == alert}
    messages = [one for one in told if names & set(one.episodes)]
    watch = played.watches.get(alert, UNWATCHED)
    peaks = None if watch.approaches is None else [one.peak for one in watch.approaches if not _fired(found, one)]
    ran = [row for row in _owned(alert, played) if row.applied_at is not None]
    return RuleReport(
        alert=alert,
        kind=rule.kind,
        episodes=len(found),
        median_seconds=median(seconds) if seconds else None,
        longest_seconds=max(seconds, default=None),
        share_firing=_covered(found) / (span.until - span.since),
        messages=len(messages),
        messages_per_day=_per_day(len(messages), span),
        messages_per_night=_per_day(_nightly(messages, is_night), span),
        flaps=_flaps(found),
        near_misses=None if peaks is None else len(peaks),
        nearest=max(peaks or (), default=None),
        looks=watch.looks,
        blind_share=None if watch.blind is None or not watch.looks else watch.blind / watch.looks,
        longest_blind_seconds=None if watch.blind is None else watch.longest_blind * watch.seconds,
        mitigations=len(ran),
        lease_seconds=sum(_leased(row, span) for row in ran) / 1000,
        led_away=sum(_led_away(row, played) for row in ran),
        refusals=_refusals(alert, played),
    )


def _fired(found: Sequence[Episode], approach: Approach) -> bool:
    """What led to an episode was no near miss."""
    return any(
        one.labels == approach.labels and one.since <= approach.until and one.until >= approach.since for one in found
    )


def _covered(found: Sequence[Episode]) -> int:
    """Milliseconds in which any of them lasted; they are in the order of their beginnings."""
    covered, end = 0, 0
    for episode in found:
        covered += max(0, episode.until - max(episode.since, end))
        end = max(end, episode.until)
    return covered


def _flaps(found: Sequence[Episode]) -> int:
    """How often a label set was raised soon after it had cleared."""
    ended: dict[Labels, int] = {}
    flaps = 0
    for episode in found:
        flaps += episode.since - ended.get(episode.labels, -FLAP_MS - 1) <= FLAP_MS
        ended[episode.labels] = episode.until
    return flaps


# ---- messages --------------------------------------------------------------------------------------------------------


def _delivered(notifications: Iterable[Notification]) -> list[Notification]:
    return [one for one in notifications if one.status is NotificationStatus.DELIVERED]


def _nightly(told: Sequence[Notification], is_night: IsNight) -> int:
    return sum(is_night(one.delivered_at) for one in told if one.delivered_at is not None)


def _per_day(number: int, span: Span) -> float:
    return number / span.days


# ---- mitigations -----------------------------------------------------------------------------------------------------


def _owned(alert: str, played: Played) -> list[Mitigation]:
    fingerprints = {row.fingerprint for row in played.transitions if row.alert == alert}
    return [row for row in played.mitigations if fingerprints & set(row.owners)]


def _leased(row: Mitigation, span: Span) -> int:
    """Milliseconds in which it was in force."""
    return 0 if row.applied_at is None else (row.ended_at or span.until) - row.applied_at


def _led_away(row: Mitigation, played: Played) -> int:
    """Turns that failed while something would have stood in for their model."""
    if not row.soft or row.applied_at is None:
        return 0
    failed = played.failures.get(row.target.partition(":")[2], ())
    return bisect_left(failed, row.ended_at or played.span.until) - bisect_left(failed, row.applied_at)


def _refusals(alert: str, played: Played) -> dict[str, int]:
    """Words and how often: rows that came to nothing, and what could not even be begun."""
    ended = [row.outcome or row.state.value for row in _owned(alert, played) if row.applied_at is None]
    noted = [note.outcome or note.reason for note in played.notes if note.actor == f"rule:{alert}"]
    return dict(Counter((*ended, *noted)))
