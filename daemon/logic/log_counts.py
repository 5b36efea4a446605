"""Counts of a log: how often it tells of what, by provider and class; of a line itself nothing is kept."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from daemon.logic.upstream_past_counts import MINUTE_MS
from daemon.logic.upstream_past_log import account, parts_of
from daemon.logic.wire import WireProtocol

STATUSES = frozenset({401, 403, 429})
ACCOUNT, REFRESH, THINKING = "account", "refresh", "thinking"
SAME, DIFFERS, HIDDEN = "same", "differs", "hidden"
ANY = "*"
"""The log does not say of which provider."""

_SAID = (
    (REFRESH, re.compile(r"\b([a-z][\w-]*) executor: [^|]*refresh failed")),
    (ACCOUNT, re.compile(r"\b(iflow)\b[^|]*(?:missing api key|account|session (?:has )?expired)", re.IGNORECASE)),
    (ACCOUNT, re.compile(r"\b(kiro): account is suspended")),
    ("429", re.compile(r"\b(kiro): [^|]*(?:rate limit hit|quota exhausted) \(429\)")),
)
"""What happened between the upstream and a provider; the first that fits counts."""
_QUOTED = re.compile(r'"(?:\\.|[^"\\])*"')
"""Paths, which are in the hands of clients."""
_THINKING = re.compile(
    r"thinking: (original config from request|config from model suffix|processed config to apply) \|"
)
_ASKED_OF, _APPLIED = ("provider", "model"), ("mode", "budget", "level")

Counted = tuple[int, str]
"""When (epoch ms), and what: `codex:429`."""


def counted(lines: Sequence[str], wires: Sequence[WireProtocol], zone_minutes: int | None, now: int) -> list[Counted]:
    """What the lines tell of. Without a zone all of it is told of now (epoch ms)."""
    ahead = (zone_minutes or 0) * MINUTE_MS
    told = account({"lines": list(lines)}, wires, zone_minutes, now)
    found = (
        [
            (event.emitted_at, f"{_of(event.provider_key)}:{event.status}")
            for event in told.events
            if event.status in STATUSES
        ]
        if told
        else []
    )
    found += [(at - ahead, what) for at, what in (*_said(lines), *_thought(lines))]
    return [(now if zone_minutes is None else min(at, now), what) for at, what in found]


def kept(minutes: Mapping[str, Mapping[str, int]], news: Iterable[Counted], since: int) -> dict[str, dict[str, int]]:
    """Counts by minute, with what is new of it, and without what is from before `since` (epoch ms)."""
    oldest = since // MINUTE_MS
    found = {minute: Counter(those) for minute, those in minutes.items() if int(minute) >= oldest}
    for at, what in news:
        if at // MINUTE_MS >= oldest:
            found.setdefault(str(at // MINUTE_MS), Counter())[what] += 1
    return {minute: dict(sorted(those.items())) for minute, those in sorted(found.items())}


def summed(minutes: Mapping[str, Mapping[str, int]]) -> Counter[str]:
    """Of all minutes together."""
    return sum((Counter(those) for those in minutes.values()), Counter())


def _of(provider_key: str) -> str:
    return ANY if provider_key == "unknown" else provider_key


def _said(lines: Iterable[str]) -> Iterator[Counted]:
    for at, said in filter(None, map(parts_of, lines)):
        own = _QUOTED.sub("", said)
        found = ((kind, match) for kind, pattern in _SAID if (match := pattern.search(own)))
        for kind, match in [*found][:1]:
            yield at, f"{match[1].lower()}:{kind}"


def _thought(lines: Iterable[str]) -> Iterator[Counted]:
    """What was asked for and what was applied, where one follows the other: of two requests at once nobody knows."""
    asked: dict[str, str] | None = None
    for at, said in filter(None, map(parts_of, lines)):
        if (match := _THINKING.search(said)) is None:
            continue
        fields = dict(re.findall(r"(\w+)=(\S*)", said))
        if not match[1].startswith("processed"):
            asked = fields
            continue
        if fields.get("mode") == "[REDACTED]":
            yield at, f"{THINKING}:{HIDDEN}"
        elif asked is not None and _these(asked, _ASKED_OF) == _these(fields, _ASKED_OF):
            yield at, f"{THINKING}:{SAME if _these(asked, _APPLIED) == _these(fields, _APPLIED) else DIFFERS}"
        asked = None


def _these(fields: Mapping[str, str], names: Iterable[str]) -> list[str | None]:
    return [fields.get(name) for name in names]
