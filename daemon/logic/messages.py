"""Messages: what a person reads on a phone's lock screen, and below it."""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from daemon.domain.alert import Alert, ResolvedBecause, Severity
from daemon.domain.mitigation import Effect, Mitigation, MitigationState, Mode
from daemon.domain.notification import Message, Notification, NotificationReason
from daemon.domain.units import say_duration, say_ratio
from daemon.logic.grouping import Story
from daemon.logic.news import News

LONGEST_TITLE = 120
LONGEST_BODY = 3000
LONGEST_VALUE = 80
LONGEST_LINE = 400
MOST_STORIES = 10
MENTION = re.compile(r"@(?=everyone|here|channel|all\b)|<(?=[@!#])")

KINDS = {Severity.CRITICAL: "failure", Severity.WARNING: "warning"}
ENDED = {ResolvedBecause.NO_DATA: "no data any more", ResolvedBecause.RULE_REMOVED: "its rule was removed"}
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


def clean(text: str, longest: int = LONGEST_VALUE) -> str:
    """One line that no reader obeys: without control characters, mentions broken, not longer than that."""
    plain = "".join(char if char.isprintable() else " " for char in text[: 2 * longest])
    broken = MENTION.sub(lambda found: f"{found[0]}\N{WORD JOINER}", " ".join(plain.split()))
    return _cut(broken, longest)


def ranked(stories: Iterable[Story]) -> list[Alert]:
    """The alerts that tell them, the worst and newest first."""
    alerts = [story.alert for story in stories]
    return sorted(alerts, key=lambda alert: (-alert.severity.rank, -(alert.fired_at or 0), alert.fingerprint))


def title_of(word: str, alerts: Sequence[Alert]) -> str:
    """`[critical] ProviderRateLimited codex and 2 more`."""
    more = f" and {len(alerts) - 1} more" if len(alerts) > 1 else ""
    return clean(f"[{word}] {_name(alerts[0])}", LONGEST_TITLE - len(more)) + more


def notice_title(mitigation: Mitigation, about: Alert | None) -> str:
    """`[mitigation] fallback applied: SparkErrorRatio`."""
    subject = _name(about) if about else mitigation.target
    return clean(f"[mitigation] {mitigation.name} {_done(mitigation)}: {subject}", LONGEST_TITLE)


def compose(
    found: News, mitigations: Iterable[Mitigation], notices: Sequence[Notification], public_url: str
) -> Message:
    """The message about a group: what fires, what has ended, what was done about it, and where to look.

    `notices` are the rows of mitigations that it tells too: their words were set when it happened.
    """
    firing, closed = ranked(found.firing.values()), ranked(found.closed.values())
    done = {mitigation.id: say_mitigation(mitigation) for mitigation in mitigations}.values()
    blocks = [
        *(_firing(alert) for alert in firing[:MOST_STORIES]),
        _more(len(firing), "firing"),
        *(_closed(alert) for alert in closed[:MOST_STORIES]),
        _more(len(closed), "resolved"),
        "\n".join(dict.fromkeys((*done, *(row.body for row in notices)))),
    ]
    link = f"{public_url.rstrip('/')}/"
    text = "\n\n".join(filter(None, blocks))
    body = f"{_cut(text, LONGEST_BODY - len(link) - 2)}\n\n{link}"
    if found.reason is NotificationReason.MITIGATION:
        return Message(title=notices[-1].title, body=body, kind="info")
    if not firing:
        return Message(title=title_of("resolved", closed), body=body, kind="success")
    return Message(title=title_of(firing[0].severity, firing), body=body, kind=KINDS[firing[0].severity])


def say_mitigation(mitigation: Mitigation) -> str:
    """`fallback: applied (model_alias:gpt-5.3-codex-spark → gpt-5.3-codex, auto)`."""
    facts = [_change(mitigation), mitigation.mode]
    if mitigation.effect is not Effect.EXPECTED:
        facts.append(_EFFECTS[mitigation.effect])
    outcome = f", {clean(mitigation.outcome, LONGEST_LINE)}" if mitigation.outcome else ""
    return f"{clean(mitigation.name)}: {_done(mitigation)}{outcome} ({', '.join(facts)})"


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
    return clean(
        f"{mitigation.target} → {str(wanted).lower() if isinstance(wanted, bool) else wanted}", 2 * LONGEST_VALUE
    )


def _done(mitigation: Mitigation) -> str:
    done = DONE[mitigation.state]
    if mitigation.state is MitigationState.PLANNED:
        done = NOT_DONE.get(mitigation.mode, done)
    return f"{done}, held by {clean(mitigation.held_by)}" if mitigation.held_by else done


def _name(alert: Alert) -> str:
    return " ".join((alert.alert, *(_label(name, value) for name, value in alert.labels)))


def _label(name: str, value: str) -> str:
    """The value alone, where it says what it is."""
    return f"{name}={value}" if value in ("", "true", "false") else clean(value)


def _firing(alert: Alert) -> str:
    lines = [
        clean(alert.summary, LONGEST_LINE) or alert.alert,
        f"{alert.severity} since {_instant(alert.fired_at or alert.since)}{_window(alert)}",
        " ".join(f"{name}={clean(value)}" for name, value in alert.labels),
        _figures(alert),
        "Events are missing: nothing new is acted on." if alert.degraded else "",
        f"Runbook: {clean(alert.runbook, LONGEST_LINE)}" if alert.runbook else "",
    ]
    return "\n".join(filter(None, lines))


def _closed(alert: Alert) -> str:
    at, fired_at = alert.resolved_at or alert.since, alert.fired_at or alert.since
    because = ENDED.get(alert.resolved_because) if alert.resolved_because else None
    after = f"resolved {_instant(at)} after {say_duration((at - fired_at) / 1000)}"
    return f"{_name(alert)}: {after}{f', {because}' if because else ''}"


def _figures(alert: Alert) -> str:
    """What the rule's own words left out."""
    if not alert.value_text:
        return ""
    parts = [
        f"{alert.value_text} ({alert.bad} of {alert.samples})" if alert.bad else alert.value_text,
        f"at least {say_ratio(alert.lower_bound)}" if alert.lower_bound is not None else "",
    ]
    return ", ".join(part for part in parts if part and part.partition(" (")[0] not in alert.summary)


def _window(alert: Alert) -> str:
    return f", over {say_duration(alert.window_seconds)}" if alert.window_seconds else ""


def _instant(at: int) -> str:
    return f"{datetime.fromtimestamp(at // 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _more(count: int, word: str) -> str:
    return f"and {count - MOST_STORIES} more {word}" if count > MOST_STORIES else ""
