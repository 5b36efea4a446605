"""The life of others' alerts, as rows of ours: what is told raises, renews or ends one; what nobody renews ends too.

Until when one stands is in the row: `last_data_at`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from daemon.domain.alert import Alert, AlertState, EpisodeStep, ResolvedBecause
from daemon.domain.foreign import Told
from daemon.logic.foreign_reading import SLACK
from daemon.logic.lifecycle import end
from daemon.logic.series import episode_step

RENEWED_MS = 60_000
"""A row that would stand only so little longer is not written anew."""

Rows = Mapping[str, Alert]
"""By fingerprint."""


def heard(rows: Rows, told: Iterable[Told], now: int) -> dict[str, Alert]:
    """The rows after all of this was told at an instant (epoch ms); what is no news is the same row."""
    after = dict(rows)
    for one in told:
        row = after.get(one.fingerprint)
        live = row if row is not None and row.is_firing else None
        if one.is_firing:
            after[one.fingerprint] = _raised(one, now) if live is None else _renewed(live, one, now)
        elif live is not None:
            after[one.fingerprint] = end(live, now, ResolvedBecause.CLEARED)
    return after


def expired(rows: Rows, now: int) -> dict[str, Alert]:
    """The rows after what nobody renewed has ended."""
    due = (row for row in rows.values() if row.is_firing and row.last_data_at <= now)
    return {**rows, **{row.fingerprint: _expire(row, now) for row in due}}


def with_room(before: Rows, after: Rows, most: int, now: int) -> dict[str, Alert]:
    """Of too many live ones the oldest warnings give way first; what was never shown was never there."""
    live = sorted((row for row in after.values() if row.is_firing), key=lambda row: (row.severity.rank, row.since))
    rows = dict(after)
    for row in live[: max(0, len(live) - most)]:
        was = before.get(row.fingerprint)
        if was is not None and was.is_firing:
            rows[row.fingerprint] = end(row, now, ResolvedBecause.DISPLACED)
        else:
            del rows[row.fingerprint]
    return rows


def steps(before: Rows, after: Rows, changed: Iterable[Alert], now: int) -> list[EpisodeStep]:
    """What is news of each episode."""
    news = {row.episode: row for row in changed if not (row.resolved_because and row.resolved_because.is_silent)}
    was, highest = _highest(before), _highest(after)
    found = (
        episode_step(
            was[episode].severity if episode in was else None,
            highest[episode].severity if episode in highest else None,
            now,
            highest.get(episode, row),
        )
        for episode, row in news.items()
    )
    return [step for step in found if step is not None]


def _highest(rows: Rows) -> Rows:
    """The worst that fires, by episode."""
    firing = sorted((row for row in rows.values() if row.is_firing), key=lambda row: row.severity.rank)
    return {row.episode: row for row in firing}


def _raised(told: Told, now: int) -> Alert:
    return Alert(
        fingerprint=told.fingerprint,
        episode=told.episode,
        alert=told.alert,
        severity=told.severity,
        labels=told.labels,
        state=AlertState.FIRING,
        since=now,
        fired_at=now,
        last_data_at=max(now, told.ends_at or 0) + round(told.stands_seconds * 1000),
        summary=told.summary or told.alert,
        runbook=told.runbook,
        source=told.source,
    )


def _renewed(row: Alert, told: Told, now: int) -> Alert:
    new = _raised(told, now)
    is_same = (row.summary, row.runbook) == (new.summary, new.runbook)
    if is_same and new.last_data_at - row.last_data_at < RENEWED_MS:
        return row
    return replace(row, summary=new.summary, runbook=new.runbook, last_data_at=new.last_data_at)


def _expire(row: Alert, now: int) -> Alert:
    return end(row, now, ResolvedBecause.ONLY_TOLD if row.source == SLACK else ResolvedBecause.NO_DATA)
