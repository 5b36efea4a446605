"""Messages: what a person reads on a phone's lock screen, and below it, at three in the morning.

A message tells some alerts in full, more of them in a line each, and how many there are besides. In full an alert is:

    codex: 18 of 212 turns were rate limited (8.5%, at least 5.4%)    what, where, how bad
    critical since 2026-11-24 09:55 UTC, over 10m                     since when
    94% of failures: credential c3f1, stream; 2% of the rest          what the failures have in common
    fallback: applied (model_alias:spark → gpt-5.3-codex, auto)       what was done about it, and whether it helped
    Do: http://nas:8319/docs/runbook.md#repeated-429                  what to do now
    Why: runbookd explain ProviderRateLimited
    http://nas:8319/#alert-5b1f…                                      where to look

Words that others made up are cleaned (`plain_text`) and never formatted again. Under the last line stands the id of the
row: a message that comes twice has the same one.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from daemon.domain.alert import Alert, ResolvedBecause, Severity
from daemon.domain.mitigation import Effect, Mitigation, MitigationState, Mode
from daemon.domain.notification import Approval, Message, Notification, NotificationReason
from daemon.domain.units import say_duration, say_ratio
from daemon.logic.common_cause import NOTHING_SEEN, Evidence
from daemon.logic.grouping import Story
from daemon.logic.news import News
from daemon.logic.plain_text import LONGEST_VALUE, clean, clickable, cut

LONGEST_TITLE = 80
LONGEST_BODY = 3000
"""With the title, and what else is said of a message above it, below 3500."""
LONGEST_LINE = 240
LONGEST_FIGURE = 16
DAY = len("2026-11-24")
MOST_IN_FULL = 3
MOST_IN_LINES = 10
MOST_MEASURES = 3
"""Of one alert."""
MOST_APPROVALS = 3
"""Of one message: more buttons than that no service shows."""

RESOLVED = "resolved"
KINDS = {Severity.CRITICAL: "failure", Severity.WARNING: "warning"}
ENDED = {
    ResolvedBecause.NO_DATA: "no data any more",
    ResolvedBecause.RULE_REMOVED: "its rule was removed",
    ResolvedBecause.RULE_CHANGED: "its rule was changed",
}
STILL = {NotificationReason.REPEAT: "still ", NotificationReason.EASED: "still "}
DONE = {
    MitigationState.PLANNED: "planned",
    MitigationState.WRITING: "being applied",
    MitigationState.APPLIED: "applied",
    MitigationState.RESTORING: "being undone",
    MitigationState.RESTORED: "undone",
    MitigationState.NOT_NEEDED: "not needed, it was so already",
    MitigationState.ABANDONED: "left as it is, someone else changed it",
    MitigationState.FAILED: "failed",
    MitigationState.UNKNOWN: "in an unknown state",
}
NOT_DONE = {Mode.ASK: "waits for approval", Mode.SHADOW: "would be applied"}

ApprovalLink = Callable[[Mitigation], str]
"""The address that approves what was asked for; empty where there is none."""


def no_link(_: Mitigation) -> str:
    """Where nothing can be approved by a link."""
    return ""


def ranked(stories: Iterable[Story]) -> list[Alert]:
    """The alerts that tell them, the worst and newest first."""
    return [story.alert for story in _ranked(stories)]


def title_of(word: str, alerts: Sequence[Alert]) -> str:
    """`[critical] ProviderRateLimited codex: 12.3% and 2 more`."""
    figure = alerts[0].value_text
    is_short = len(figure) <= LONGEST_FIGURE and any(char.isdigit() for char in figure)
    value = f": {clean(figure)}" if is_short and word != RESOLVED else ""
    more = f" and {len(alerts) - 1} more" if len(alerts) > 1 else ""
    return clean(f"[{word}] {_name(alerts[0])}", LONGEST_TITLE - len(value) - len(more)) + value + more


def notice_title(mitigation: Mitigation, about: Alert | None) -> str:
    """`[mitigation] fallback applied: SparkErrorRatio`; `[critical] …` where somebody has to look."""
    subject, mark = _name(about) if about else mitigation.target, "critical" if mitigation.is_alarming else "mitigation"
    return clean(f"[{mark}] {mitigation.name} {_done(mitigation)}: {subject}", LONGEST_TITLE)


def in_full(found: News) -> list[Story]:
    """The stories that a message tells in full, the worst and newest first; those that fire before those that ended."""
    return [*_ranked(found.firing.values()), *_ranked(found.closed.values())][:MOST_IN_FULL]


def compose(
    found: News,
    mitigations: Iterable[Mitigation],
    notices: Sequence[Notification],
    public_url: str,
    evidence: Mapping[str, Evidence] = NOTHING_SEEN,
    row_id: str = "",
    link: ApprovalLink = no_link,
) -> Message:
    """The message about a group: what fires, what has ended, what was done about it, and where to look.

    `notices` are the rows of mitigations that it tells too: their words were set when it happened. `evidence` is by
    episode.
    """
    firing, closed = ranked(found.firing.values()), ranked(found.closed.values())
    measures = tuple(mitigations)
    told = _Telling(found, measures, notices, public_url, evidence)
    body, approvals = _fitted(told.blocks(), told.footer(row_id)), _approvals(measures, link)
    if found.reason is NotificationReason.MITIGATION:
        kind = KINDS[Severity.CRITICAL] if any(row.severity for row in notices) else "info"
        return Message(title=notices[-1].title, body=body, kind=kind, approvals=approvals)
    if not firing:
        return Message(title=title_of(RESOLVED, closed), body=body, kind="success")
    title, kind = title_of(firing[0].severity, firing), KINDS[firing[0].severity]
    return Message(title=title, body=body, kind=kind, approvals=approvals)


def with_links(message: Message) -> str:
    """The body with what waits for approval as links, above where to look."""
    links = "\n".join(f"{one.label} (until {_instant(one.until)}): {one.url}" for one in message.approvals)
    if not links:
        return message.body
    told, gap, footer = message.body.rpartition("\n\n")
    return f"{told}\n\n{links}{gap}{footer}" if gap else f"{links}\n\n{message.body}"


def _approvals(mitigations: Iterable[Mitigation], link: ApprovalLink) -> tuple[Approval, ...]:
    asked = [(row, until, url) for row in mitigations if (until := _asked_until(row)) and (url := link(row))]
    return tuple(
        Approval(label=f"Approve {clean(row.name)}", until=until, url=url) for row, until, url in asked[:MOST_APPROVALS]
    )


def _asked_until(mitigation: Mitigation) -> int | None:
    """Until when a human may approve it (epoch ms); None where there is nothing to approve."""
    return mitigation.approve_until if mitigation.mode is Mode.ASK else None


class _Telling:
    """One message in the making. A mitigation that several alerts asked for is told once."""

    def __init__(
        self,
        found: News,
        mitigations: Iterable[Mitigation],
        notices: Sequence[Notification],
        public_url: str,
        evidence: Mapping[str, Evidence],
    ) -> None:
        self._found = found
        self._measures = {row.id: row for row in mitigations}
        self._notices = notices
        self._url = public_url.rstrip("/")
        self._evidence = evidence
        self._full = in_full(found)
        self._is_alone = len(found.firing) + len(found.closed) == 1

    def footer(self, row_id: str) -> str:
        """Where to look, and which message this is."""
        link = self._link(self._full[0].alert) if self._is_alone else f"{self._url}/"
        return "\n".join(filter(None, (link, row_id)))

    def blocks(self) -> Iterator[str]:
        """In the order in which they are read; the first ones matter most."""
        is_notice = self._found.reason is NotificationReason.MITIGATION
        notices = "\n".join(dict.fromkeys(row.body for row in self._notices))
        if is_notice:
            yield notices
        for story in self._full:
            yield "\n".join(filter(None, self._in_full(story)))
        yield from self._in_lines(self._found.firing.values(), "firing")
        yield from self._in_lines(self._found.closed.values(), "resolved")
        yield "\n".join(map(say_mitigation, [*self._measures.values()][:MOST_IN_LINES]))
        if not is_notice:
            yield notices

    def _in_full(self, story: Story) -> Iterator[str]:
        alert = story.alert
        yield from self._firing(story) if alert.is_firing else self._closed(story)
        yield from self._done_about(story)
        if alert.is_firing:
            yield f"Do: {clickable(alert.runbook, self._url)}" if alert.runbook else ""
            yield "" if alert.source else f"Why: runbookd explain {clean(alert.alert)}"
        if not self._is_alone:
            yield self._link(alert)

    def _firing(self, story: Story) -> Iterator[str]:
        alert, seen = story.alert, self._evidence.get(story.alert.episode, Evidence())
        if not self._is_alone and alert.summary:
            yield _name(alert)
        yield clean(alert.summary, LONGEST_LINE) or _name(alert)
        yield _where(alert)
        yield _figures(alert)
        yield f"{STILL.get(self._found.reason, '')}{alert.severity} since {_since(story)}{_window(alert)}"
        yield clean(seen.common, LONGEST_LINE)
        if seen.saved or self._found.reason is NotificationReason.REPEAT:
            yield _turns(seen, " so far")
        yield from _states(alert)

    def _closed(self, story: Story) -> Iterator[str]:
        yield _ended(story)
        yield _turns(self._evidence.get(story.alert.episode, Evidence()), "")

    def _done_about(self, story: Story) -> Iterator[str]:
        said = {row.body for row in self._notices}
        rows = [row for row in self._measures.values() if story.fingerprints.intersection(row.owners)]
        for row in rows[:MOST_MEASURES]:
            del self._measures[row.id]
            words = say_mitigation(row)
            yield words if words not in said else ""

    def _in_lines(self, stories: Iterable[Story], word: str) -> Iterator[str]:
        """One block: a line for each of the next ones, and how many there are besides."""
        rest = [story for story in _ranked(stories) if story not in self._full]
        shown = [_line(story) for story in rest[:MOST_IN_LINES]]
        left = [story.alert for story in rest[MOST_IN_LINES:]]
        critical = sum(alert.severity is Severity.CRITICAL for alert in left)
        more = f", {critical} of them critical" if 0 < critical < len(left) else ""
        yield "\n".join([*shown, f"and {len(left)} more {word}{more}"] if left else shown)

    def _link(self, alert: Alert) -> str:
        return f"{self._url}/#alert-{alert.fingerprint}"


def _ranked(stories: Iterable[Story]) -> list[Story]:
    def place(story: Story) -> tuple[int, int, str]:
        alert = story.alert
        return -alert.severity.rank, -(alert.fired_at or 0), alert.fingerprint

    return sorted(stories, key=place)


def _fitted(blocks: Iterable[str], footer: str) -> str:
    """As many whole lines as there is room for."""
    lines = "\n\n".join(filter(None, blocks)).split("\n")
    room = LONGEST_BODY - len(footer) - len("\n\n…\n")
    kept: list[str] = []
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            kept.append("…")
            break
        kept.append(line)
    return "\n".join(kept).rstrip("\n") + f"\n\n{footer}"


def say_mitigation(mitigation: Mitigation) -> str:
    """`fallback: applied (model_alias:spark → gpt-5.3-codex, auto), until 2026-11-24 10:30 UTC at the latest`, and
    whether it helped."""
    facts = [_change(mitigation), mitigation.mode]
    if mitigation.effect is not Effect.EXPECTED:
        facts.append(_EFFECTS[mitigation.effect])
    done = f"{clean(mitigation.name)}: {_done(mitigation)}{_outcome(mitigation)}"
    return f"{done} ({', '.join(facts)}){_next(mitigation)}{_helped(mitigation)}"


def _outcome(mitigation: Mitigation) -> str:
    if mitigation.outcome and not _has_own_words(mitigation):
        return f", {clean(mitigation.outcome)}"
    return ""


def _next(mitigation: Mitigation) -> str:
    """When it ends, or what a person must do."""
    if until := _asked_until(mitigation):
        return f", until {_instant(until)}: runbookd mitigations approve {clean(mitigation.id)}"
    if mitigation.state is MitigationState.APPLIED and mitigation.hold_expires_at:
        return f", until {_instant(mitigation.hold_expires_at)}"
    if mitigation.state is MitigationState.APPLIED and mitigation.expires_at and not mitigation.held_by:
        return f", until {_instant(mitigation.expires_at)} at the latest"
    return ""


def _helped(mitigation: Mitigation) -> str:
    """The proof, the turns it saved, and what people should know beside."""
    turns = mitigation.saved_turns
    is_said = mitigation.proof in (mitigation.outcome or "")
    parts = [
        "" if is_said else clean(mitigation.proof, LONGEST_LINE),
        f"{turns:,} {'turn' if turns == 1 else 'turns'} went well through it" if turns else "",
        clean(mitigation.note, LONGEST_LINE),
    ]
    return "".join(f"; {part}" for part in parts if part)


_EFFECTS = {
    Effect.NO_EFFECT_KNOWN: "no effect known",
    Effect.UNKNOWN: "effect unknown",
    Effect.UNVERIFIED: "unverified",
}


def _change(mitigation: Mitigation) -> str:
    """The target, and what it is set to unless it was set back."""
    if mitigation.value_wanted is None or mitigation.state in (MitigationState.RESTORING, MitigationState.RESTORED):
        return clean(mitigation.target)
    wanted = mitigation.value_wanted
    return f"{clean(mitigation.target)} → {clean(str(wanted).lower() if isinstance(wanted, bool) else str(wanted))}"


def _done(mitigation: Mitigation) -> str:
    done = DONE[mitigation.state]
    if mitigation.state is MitigationState.PLANNED or _asked_until(mitigation):
        done = NOT_DONE.get(mitigation.mode, done)
    elif mitigation.state is MitigationState.NOT_NEEDED and mitigation.mode is Mode.ASK:
        done = "approved"
    elif _has_own_words(mitigation):
        done = clean(mitigation.outcome or done)
    return f"{done}, held by {clean(mitigation.held_by)}" if mitigation.held_by else done


def _has_own_words(mitigation: Mitigation) -> bool:
    """What was not needed says why, and what was asked for has its own word until somebody answers."""
    return mitigation.state is MitigationState.NOT_NEEDED and mitigation.outcome is not None


def _name(alert: Alert) -> str:
    words = (clean(alert.alert), *(_label(name, value) for name, value in alert.labels if value))
    return cut(" ".join(words), LONGEST_LINE)


def _label(name: str, value: str) -> str:
    """The value alone, where it says what it is."""
    return f"{clean(name)}={value}" if value in ("true", "false") else clean(value)


def _line(story: Story) -> str:
    """An alert in one line."""
    alert = story.alert
    figure = f": {clean(alert.value_text)}" if alert.value_text else ""
    return (
        f"- {alert.severity} {cut(_name(alert), 2 * LONGEST_VALUE)}{figure}"
        if alert.is_firing
        else f"- {_ended(story)}"
    )


def _where(alert: Alert) -> str:
    """The labels, where the rule's own words do not say them all."""
    if alert.summary and all(value in alert.summary for _, value in alert.labels):
        return ""
    return cut(" ".join(f"{clean(name)}={clean(value)}" for name, value in alert.labels if value), LONGEST_LINE)


def _since(story: Story) -> str:
    """`2026-11-24 02:07 UTC (a warning since 02:05)`."""
    fired_at = _instant(story.alert.fired_at or story.alert.since)
    opened_at = _instant(story.opened_at)
    if opened_at >= fired_at:
        return fired_at
    is_today = opened_at[:DAY] == fired_at[:DAY]
    return f"{fired_at} (a warning since {opened_at[DAY + 1 :].removesuffix(' UTC') if is_today else opened_at})"


def _ended(story: Story) -> str:
    alert = story.alert
    at, fired_at = alert.resolved_at or alert.since, alert.fired_at or alert.since
    because = "" if alert.resolved_because is None else ENDED.get(alert.resolved_because, "")
    after = f"resolved {_instant(at)} after {say_duration((at - fired_at) / 1000)}"
    return f"{cut(_name(alert), 2 * LONGEST_VALUE)}: {after}{f', {because}' if because else ''}"


def _states(alert: Alert) -> Iterator[str]:
    yield "Events are missing: nothing new is acted on." if alert.degraded else ""
    yield f"Acknowledged by {clean(alert.acknowledged_by)}." if alert.acknowledged_by else ""
    if alert.silenced:
        yield f"Now {clean(alert.muted_by, LONGEST_LINE) or 'silenced'}."


def _turns(seen: Evidence, so_far: str) -> str:
    """What it cost and saved."""
    at_least = "" if seen.is_whole else "at least "
    parts = [
        f"{at_least}{seen.lost:,} {'turn' if seen.lost == 1 else 'turns'} failed{so_far}" if seen.lost else "",
        f"mitigations saved {at_least}{seen.saved:,}" if seen.saved else "",
    ]
    return ", ".join(filter(None, parts))


def _figures(alert: Alert) -> str:
    """What the rule's own words left out."""
    if not alert.value_text:
        return ""
    value = clean(alert.value_text)
    parts = [
        f"{value} ({alert.bad} of {alert.samples})" if alert.bad else value,
        f"at least {say_ratio(alert.lower_bound)}" if alert.lower_bound is not None else "",
    ]
    return ", ".join(part for part in parts if part and part.partition(" (")[0] not in alert.summary)


def _window(alert: Alert) -> str:
    return f", over {say_duration(alert.window_seconds)}" if alert.window_seconds else ""


def _instant(at: int) -> str:
    return f"{datetime.fromtimestamp(at // 1000, UTC):%Y-%m-%d %H:%M} UTC"
