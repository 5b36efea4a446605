"""Silencing: what a silence must say, so that it mutes what was meant and ends."""

from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from fnmatch import fnmatchcase
from hashlib import sha256

from daemon.domain.alert import Alert, Severity
from daemon.domain.alerts_config import Rule
from daemon.domain.labels import labels_of
from daemon.domain.silence import Silence

OWN_LABELS = ("alert", "severity")
LONGEST_MS = 366 * 86_400_000
LONGEST_COMMENT, LONGEST_MATCHER, MOST_MATCHERS = 400, 256, 20


def new_silence(
    matchers: Mapping[str, str], *, starts_at: int, ends_at: int, author: str, comment: str, at: int
) -> Silence:
    """Asked for at an instant (epoch ms); the same request at the same instant is the same silence."""
    pairs = labels_of(matchers)
    text = "\x1f".join((*map("=".join, pairs), author, comment, str(starts_at), str(ends_at), str(at)))
    return Silence(
        id=f"s-{sha256(text.encode()).hexdigest()[:10]}",
        matchers=pairs,
        starts_at=starts_at,
        ends_at=ends_at,
        author=author,
        comment=comment,
        created_at=at,
    )


def known_labels(rules: Iterable[Rule], alerts: Iterable[Alert]) -> Collection[str]:
    """Every label that an alert has or can have."""
    of_rules = (name for rule in rules for name in (*rule.by, *rule.labels))
    return {*OWN_LABELS, *of_rules, *(name for alert in alerts for name, _ in alert.labels)}


def mistake_in(silence: Silence, labels: Collection[str], at: int) -> str | None:
    """What is wrong with it at an instant (epoch ms), in one line; None when nothing is."""
    if not silence.matchers:
        return "say what to silence, such as alert=ProviderRateLimited"
    if len(silence.matchers) > MOST_MATCHERS or any(len(wanted) > LONGEST_MATCHER for _, wanted in silence.matchers):
        return f"write at most {MOST_MATCHERS} matchers of at most {LONGEST_MATCHER} characters"
    for name, wanted in silence.matchers:
        if name not in labels:
            return f"no alert can have the label '{name[:60]}'{_did_you_mean(name, labels)}"
        if name == "severity" and not any(fnmatchcase(severity, wanted) for severity in Severity):
            return f"'{wanted}' is no severity{_did_you_mean(wanted, [*Severity])}"
    if len(silence.comment) > LONGEST_COMMENT:
        return f"the comment is longer than {LONGEST_COMMENT} characters"
    return _mistake_in_time(silence, at)


def _mistake_in_time(silence: Silence, at: int) -> str | None:
    if silence.ends_at <= silence.starts_at:
        return "it would end before it begins"
    if silence.ends_at <= at:
        return "it would have ended already"
    if silence.ends_at - at > LONGEST_MS:
        return "it would last longer than a year: nobody remembers it then"
    return None


def _did_you_mean(word: str, known: Collection[str]) -> str:
    near = get_close_matches(word.lower(), known, n=1, cutoff=0.65)
    return f"; did you mean '{near[0]}'?" if near else f"; known: {', '.join(sorted(known))}"
