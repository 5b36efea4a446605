"""`log_scan`: bursts of 401, 403 and 429 in the upstream's own log, accounts and refreshes that fail, and whether
thinking was applied as it was asked for.

The log also tells what came past us. Only counts are kept of it, never a line.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from pydantic import Field

from daemon.domain.alerts_config import ProbeOptions
from daemon.domain.probe import Ask, Door, ProbeResult, Reply
from daemon.domain.units import Duration, say_duration
from daemon.logic.log_counts import ACCOUNT, ANY, DIFFERS, HIDDEN, REFRESH, SAME, THINKING, counted, kept, summed
from daemon.logic.log_place import Place, fresh
from daemon.logic.probe import Found, Sight, told
from daemon.logic.upstream_past_log import zone_of

EXAMPLE = """\
log_scan: {most: 20, window: 10m, zone: "+08:00"}
"""
COSTS = False
MOST_LINES = 2000
"""In one answer: more would not fit."""
MOST_KINDS = 100
"""More are not remembered."""
SWITCHED_OFF = "the upstream writes no log: set `logging-to-file: true` in its config.yaml, or `path` of this probe"


class LogScanOptions(ProbeOptions):
    """Reads on where it stopped, by the management API, or in a file on this machine."""

    every: Duration = Field(60.0, ge=10.0)
    path: str | None = None
    """The log, where the upstream runs on this machine and its management API is not to be asked."""
    zone: str | None = Field(None, pattern=r"^[+-]\d\d:\d\d$")
    """How far the log's clock is ahead of UTC: `+08:00`; learned from the log unless said."""
    window: Duration = Field(600.0, ge=60.0)
    most: int = Field(20, ge=0)
    """More than so many of one kind in the window are a burst."""
    most_account_errors: int = Field(3, ge=0)
    """The same of accounts and refreshes that fail."""


def requests(options: LogScanOptions, sight: Sight) -> Sequence[Ask]:
    """What was written since the last time; at the first time the newest lines."""
    place = Place.of(sight.memory.get("place"))
    if options.path is not None:
        return [Ask(door=Door.FILE, path=options.path, body=place.file)]
    if not sight.capabilities.management:
        return []
    on = f"&cursor={quote(place.cursor, safe='')}" if place.cursor else ""
    if place.cursor is None and place.latest is not None:
        on = f"&after={max(0, place.latest - 1)}"
    return [Ask(door=Door.MANAGEMENT, path=f"logs?limit={MOST_LINES}{on}")]


def verdict(options: LogScanOptions, sight: Sight, replies: Sequence[Reply]) -> Found:
    """One of all that was read, and one of each kind that was told of."""
    logs = replies[0].json() if replies and replies[0].ok else None
    if not isinstance(logs, dict):
        return Found(results=[told("log_scan", sight, None, _why_none(replies))])
    place = Place.of(sight.memory.get("place"))
    zone = _zone(options, logs, sight.memory)
    lines, after = fresh(place, logs)
    is_timeless = place.is_first and zone is None
    news = [] if is_timeless else counted(lines, tuple(sight.wires.values()), zone, sight.now)
    since = sight.now - round(options.window * 1000)
    minutes = kept(sight.memory.get("minutes") or {}, news, since)
    results = [*_judged(summed(minutes), sight.memory.get("had") or (), options, sight)]
    memory = {
        "place": after.data(),
        "zone": zone,
        "minutes": minutes,
        "had": [one.subject for one in results][:MOST_KINDS],
    }
    return Found(results=[told("log_scan", sight, True, value=float(len(lines))), *results], memory=memory)


def _why_none(replies: Sequence[Reply]) -> str:
    if not replies:
        return "the upstream's management API does not answer: set RUNBOOKD_UPSTREAM_MANAGEMENT_KEY, or `path`"
    (reply,) = replies
    if reply.status == 400:
        return SWITCHED_OFF
    return reply.error or f"the upstream does not tell its log (status {reply.status})"


def _zone(options: LogScanOptions, logs: Any, memory: Mapping[str, Any]) -> int | None:
    """In minutes; None where nobody says."""
    if options.zone is not None:
        hours, minutes = options.zone[1:].split(":")
        return (int(hours) * 60 + int(minutes)) * (-1 if options.zone[0] == "-" else 1)
    learned = zone_of(logs)
    return memory.get("zone") if learned is None else learned


def _judged(counts: Counter[str], had: Sequence[str], options: LogScanOptions, sight: Sight) -> Iterator[ProbeResult]:
    """What is told of now or was told of before: one that has become still is good again."""
    kinds = {one for one in counts if not one.startswith(f"{THINKING}:")} | {one for one in had if one != THINKING}
    for subject in sorted(kinds):
        count = counts[subject]
        is_few = count <= _most(subject, options)
        said = "" if is_few else _words(subject, count, options)
        yield told("log_scan", sight, is_few, said, subject=subject, value=float(count))
    if THINKING in had or any(one.startswith(f"{THINKING}:") for one in counts):
        yield _thinking(counts, options, sight)


def _most(subject: str, options: LogScanOptions) -> int:
    return options.most_account_errors if subject.endswith((f":{ACCOUNT}", f":{REFRESH}")) else options.most


def _words(subject: str, count: int, options: LogScanOptions) -> str:
    provider, _, kind = subject.partition(":")
    of = "" if provider == ANY else f" of {provider}"
    what = {ACCOUNT: "refusals of an account", REFRESH: "failed refreshes"}.get(kind, f"answers with {kind}")
    return f"the upstream's log tells of {count} {what}{of} in {say_duration(options.window)}"


def _thinking(counts: Counter[str], options: LogScanOptions, sight: Sight) -> ProbeResult:
    differs, same, hidden = (counts[f"{THINKING}:{kind}"] for kind in (DIFFERS, SAME, HIDDEN))
    if hidden and not differs + same:
        said = "the upstream's log hides what was applied: the probe `thinking` finds it out"
        return told("log_scan", sight, None, said, subject=THINKING)
    said = f"{differs} of {differs + same} requests had another thinking applied than they asked for" if differs else ""
    return told("log_scan", sight, differs <= options.most, said, subject=THINKING, value=float(differs))


OPTIONS = LogScanOptions
