"""Expected words: whether people were told what is expected; else what they were told."""

from collections.abc import Iterable, Sequence
from math import inf

from daemon.domain.audit import AuditEntry
from daemon.domain.expectation import Expectation
from daemon.domain.explanation import Explanation
from daemon.domain.happened import Happened, Received

MOST_SHOWN = 6


def messages_are(wanted: Expectation, seen: Happened) -> str | None:
    """So many of them."""
    assert wanted.messages is not None
    counted, (fewest, most) = wanted.messages, wanted.messages.bounds
    got = [
        one
        for one in _received(wanted, counted.to, seen)
        if counted.alert in (None, *one.alerts) and has_words(one.title, [counted.title or ""])
    ]
    return None if fewest <= len(got) <= most else f"there were {len(got)}: {_titles(got, seen)}".rstrip(": ")


def message_says(wanted: Expectation, seen: Happened) -> str | None:
    """One of them does."""
    assert wanted.message is not None
    got = _received(wanted, wanted.message.to, seen)
    if any(has_words(f"{one.title}\n{one.body}", wanted.message.contains) for one in got):
        return None
    return f"none of these {len(got)} says that: {_titles(got, seen)}" if got else "there was none at all"


def _received(wanted: Expectation, receiver: str, seen: Happened) -> list[Received]:
    first, last = seen.span(wanted.from_, wanted.by if wanted.to is None else wanted.to)
    return [one for one in seen.received if one.receiver == receiver and first <= one.at <= last]


def _titles(got: Sequence[Received], seen: Happened) -> str:
    shown = [f"{seen.after(one.at)} {one.title}" for one in got[:MOST_SHOWN]]
    return "; ".join([*shown, *([f"and {len(got) - MOST_SHOWN} more"] if len(got) > MOST_SHOWN else [])])


def explanation_says(wanted: Expectation, seen: Happened) -> str | None:
    """At the instant."""
    told = seen.explained.get((wanted.at or 0.0, wanted.explain or ""))
    if told is None:
        return "nothing ran then that could explain it"
    said = say_explanation(told)
    return None if has_words(said, wanted.contains or ()) else f"it said: {said}"


def say_explanation(told: Explanation) -> str:
    """All that it says, in one line."""
    silent = f"not notified: {told.not_notified_because}" if told.not_notified_because else "notified"
    idle = f"not acted: {told.not_acted_because}" if told.not_acted_because else "acted"
    return "; ".join((told.decision.value, *told.because, silent, idle))


def audit_says(wanted: Expectation, seen: Happened) -> str | None:
    """One of its entries does."""
    name = wanted.audit or ""
    about = {
        name,
        f"alert:{name}",
        *seen.targets.get(name, ()),
        *(r.target for _, r in seen.mitigations if r.name == name),
    }
    until = inf if wanted.by is None else seen.instant(wanted.by)
    said = [say_entry(entry) for entry in seen.audit if entry.subject in about and entry.at <= until]
    if any(has_words(text, wanted.contains or ()) for text in said):
        return None
    return f"none of these entries says that: {'; '.join(said[-MOST_SHOWN:])}" if said else "there is no entry about it"


def say_entry(entry: AuditEntry) -> str:
    """One entry, in one line."""
    return " ".join(filter(None, (entry.actor, entry.action, entry.subject, entry.reason, entry.outcome)))


def has_words(text: str, words: Iterable[str]) -> bool:
    """Whether each of the words stands in a text; capitals and line breaks do not matter."""
    plain = _plain(text)
    return all(_plain(word) in plain for word in words)


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
