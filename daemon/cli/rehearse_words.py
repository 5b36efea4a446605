"""How a rehearsal on the upstream's past is told: in lines for people, and as one object."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from daemon.adapters.web.shapes import instant
from daemon.domain.alert import Severity
from daemon.domain.upstream_past import Account, Firing, Rehearsal, Rehearsed
from daemon.logic.telling_time import say_instant
from daemon.logic.upstream_past import not_told

MOST_TOLD = 10
"""Of one rule, in lines."""
NOTHING = "Nothing is known of the past: the upstream has counted and logged nothing yet, or it was started anew."
WORDS = {1: "once", 2: "twice", 3: "three times", 4: "four times", 5: "five times"}


def lines(found: Rehearsal) -> Iterator[str]:
    """What is known, what would have fired, what could not be judged and what is not known."""
    now = found.asked_at
    yield "What the upstream tells of its past:"
    yield from (f"  {_account_line(account, now)}" for account in _distinct(found.accounts))
    yield from (f"  {why}" for why in found.missing)
    if not found.accounts:
        yield NOTHING
        return
    fired = [rule for rule in found.rules if rule.firings]
    for rule in fired:
        yield ""
        yield f"{rule.alert}: {_headline(rule)}"
        yield from (f"  {line}" for firing in rule.firings[:MOST_TOLD] for line in _firing_lines(firing, now))
        if len(rule.firings) > MOST_TOLD:
            yield f"  and {len(rule.firings) - MOST_TOLD} more: --json tells all"
    yield ""
    yield from _kept_quiet(found)
    yield from _open_questions(found)


def _account_line(account: Account, now: int) -> str:
    failed = sum(event.outcome == "failed" for event in account.events)
    span = f"{say_instant(account.since, now)} to {say_instant(account.until, now)}"
    return f"{account.source.value}: {span}, {len(account.events)} turns, {failed} failed"


def _distinct(accounts: Iterable[Account]) -> Iterator[Account]:
    """The longest of each source: a shorter one says more about the same turns."""
    longest: dict[str, Account] = {}
    for account in accounts:
        known = longest.get(account.source)
        longest[account.source] = account if known is None or account.since < known.since else known
    yield from longest.values()


def _headline(rule: Rehearsed) -> str:
    severities = Counter(firing.severity for firing in rule.firings)
    acts = [act for firing in rule.firings for act in firing.acts]
    said = [
        f"warned {times(severities[Severity.WARNING])}" if severities[Severity.WARNING] else "",
        f"been critical {times(severities[Severity.CRITICAL])}" if severities[Severity.CRITICAL] else "",
        f"acted {times(len(acts))} ({', '.join(dict.fromkeys(acts))})" if acts else "",
    ]
    return f"would have {', '.join(filter(None, said))}"


def _firing_lines(firing: Firing, now: int) -> Iterator[str]:
    until = "still" if firing.until is None else f"until {say_instant(firing.until, now)}"
    yield f"{say_instant(firing.since, now)} {firing.severity}, {until}: {firing.summary}"
    yield from (f"  would have done {act}" for act in firing.acts)
    yield from (f"  would not have done {why}" for why in firing.left)


def _kept_quiet(found: Rehearsal) -> Iterator[str]:
    by_verdict: dict[str, list[Rehearsed]] = {}
    for rule in found.rules:
        by_verdict.setdefault(verdict(rule), []).append(rule)
    for word, says in (("quiet", "Quiet"), ("no_traffic", "Nothing was seen of what they count")):
        if those := by_verdict.get(word):
            yield f"{says}: {', '.join(rule.alert for rule in those)}"
    for rule in by_verdict.get("lacks", ()):
        yield f"{rule.alert} could not be rehearsed: needs {', '.join(rule.lacks)}"
    if those := by_verdict.get("elsewhere"):
        yield f"Not about traffic, so not rehearsed: {', '.join(rule.alert for rule in those)}"


def _open_questions(found: Rehearsal) -> Iterator[str]:
    yield ""
    yield "What could not be known:"
    for account in _best(found.accounts):
        yield f"  - {account.source.value}: {'; '.join(not_told(account))}"
    yield from (f"  - {note}" for note in dict.fromkeys(note for one in found.accounts for note in one.notes))


def _best(accounts: Iterable[Account]) -> Iterator[Account]:
    """Of each source the one that says most."""
    yield from {account.source: account for account in reversed(list(accounts))}.values()


def verdict(rule: Rehearsed) -> str:
    """`fired`, `quiet`, `no_traffic`, `lacks`, or `elsewhere` for what is not about traffic."""
    if not rule.is_about_traffic:
        return "elsewhere"
    if rule.lacks:
        return "lacks"
    if rule.firings:
        return "fired"
    return "quiet" if rule.samples else "no_traffic"


def as_object(found: Rehearsal) -> dict[str, Any]:
    """As JSON: instants written out."""
    return {
        "kind": "past",
        "asked_at": instant(found.asked_at),
        "accounts": [_account_object(account) for account in found.accounts],
        "missing": list(found.missing),
        "rules": [_rule_object(rule) for rule in found.rules],
    }


def _account_object(account: Account) -> dict[str, Any]:
    return {
        "source": account.source,
        "since": instant(account.since),
        "until": instant(account.until),
        "turns": len(account.events),
        "failed": sum(event.outcome == "failed" for event in account.events),
        "fields": sorted(account.fields),
        "not_told": list(not_told(account)),
        "notes": list(account.notes),
    }


def _rule_object(rule: Rehearsed) -> dict[str, Any]:
    return {
        "alert": rule.alert,
        "verdict": verdict(rule),
        "needs": list(rule.lacks),
        "since": instant(rule.since),
        "sources": list(rule.sources),
        "turns": rule.samples,
        "firings": [
            {
                **asdict(firing),
                "labels": dict(firing.labels),
                "since": instant(firing.since),
                "until": instant(firing.until),
            }
            for firing in rule.firings
        ],
    }


def times(count: int) -> str:
    """`once`, `twice`, `three times`."""
    return WORDS.get(count, f"{count} times")
