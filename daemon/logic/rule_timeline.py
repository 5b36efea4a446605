"""The timeline of a rule: what it counted and what followed, where something changed, and a little around it."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from daemon.domain.alert import Alert, Severity
from daemon.domain.alerts_config import Rule
from daemon.domain.explanation import Look
from daemon.domain.labels import Labels
from daemon.domain.sample import Verdict
from daemon.domain.units import say_duration, say_ratio

MOST_SETS = 3
"""Label sets that are shown: to read more of them nobody has the time."""
HEADER = ("TIME", "SAMPLES", "BAD", "VALUE", "BOUND", "STATE", "WHY")
ABSENT = "-"
LONGEST_WHY = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Glimpse:
    """What a rule said at an instant (epoch ms) about each of its label sets; None while nothing ran."""

    at: int
    looks: tuple[Look, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    at: int
    cells: tuple[str, ...]
    key: tuple[Any, ...]
    """Changes when something changed."""


def timeline(
    rule: Rule,
    glimpses: Sequence[Glimpse],
    rows: Sequence[Alert],
    *,
    begins_at: int,
    severities: Collection[Severity] = (),
    labels: Collection[tuple[str, str]] = (),
    instants: Collection[int] = (),
) -> list[str]:
    """Lines of text, a table for each label set and severity; `instants` (epoch ms) are shown in any case."""
    sets = [one for one in _sets(glimpses) if set(labels) <= set(one)]
    told: list[str] = []
    for one in sets[:MOST_SETS]:
        for level in rule.levels:
            if level in (severities or rule.levels):
                told += _table(rule, level, one, glimpses, rows, begins_at, instants)
    if len(sets) > MOST_SETS:
        told.append(f"and {len(sets) - MOST_SETS} more label sets")
    return told or [f"{rule.alert}: nothing was counted for it at all"]


def _sets(glimpses: Iterable[Glimpse]) -> list[Labels]:
    """Those with the most trouble first."""
    worst: dict[Labels, int] = {}
    for glimpse in glimpses:
        for look in glimpse.looks or ():
            worst[look.labels] = max(worst.get(look.labels, 0), look.verdict.bad if look.verdict else 0)
    return sorted(worst, key=lambda labels: -worst[labels])


def _table(
    rule: Rule,
    level: Severity,
    labels: Labels,
    glimpses: Sequence[Glimpse],
    rows: Sequence[Alert],
    begins_at: int,
    instants: Collection[int],
) -> list[str]:
    own = [row for row in rows if row.severity is level and row.labels == labels]
    lines = list(_lines(rule, level, labels, glimpses, own, begins_at))
    name = ", ".join((f"{rule.alert} {level}", *(f"{label} {value}" for label, value in labels)))
    shown = _shown(lines, instants)
    return [f"{name}:", *_columns([HEADER, *(line.cells if line else ("…",) for line in shown)])]


def _lines(
    rule: Rule,
    level: Severity,
    labels: Labels,
    glimpses: Sequence[Glimpse],
    rows: Sequence[Alert],
    begins_at: int,
) -> Iterator[_Line]:
    for glimpse in {glimpse.at: glimpse for glimpse in glimpses}.values():
        time = say_duration((glimpse.at - begins_at) // 1000)
        if glimpse.looks is None:
            yield _Line(at=glimpse.at, cells=(time, *[ABSENT] * 5, "nothing ran"), key=())
            continue
        look = next((one for one in glimpse.looks if one.labels == labels and one.severity is level), None)
        state = next((row.state.value for row in reversed(rows) if row.since <= glimpse.at), "inactive")
        yield _line(rule, glimpse.at, time, look, state)


def _line(rule: Rule, at: int, time: str, look: Look | None, state: str) -> _Line:
    verdict = look.verdict if look else None
    if look is None or verdict is None:
        why = look.why[-1] if look else "nothing was counted so far"
        return _Line(at=at, cells=(time, *[ABSENT] * 4, state, why), key=(state, why))
    figures = (
        str(verdict.samples),
        str(verdict.bad),
        ABSENT if verdict.value is None else rule.say(verdict.value),
        ABSENT if verdict.lower_bound is None else say_ratio(verdict.lower_bound),
    )
    word = _word(verdict)
    key = (state, word, verdict.value is None)
    return _Line(
        at=at, cells=(time, *figures, state, _cut(": ".join(filter(None, (word, _because(look, verdict)))))), key=key
    )


def _word(verdict: Verdict) -> str:
    """What it says of its level."""
    if verdict.raises:
        return "raises it"
    if verdict.suspects:
        return "suspects it"
    return "is clear" if verdict.clears else "neither raises nor clears it"


def _because(look: Look, verdict: Verdict) -> str:
    """Without what the columns and the word say already."""
    said = ("that ", "it is ", f"{verdict.bad} of {verdict.samples} ")
    return "; ".join(why for why in look.why if not why.startswith(said))


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_WHY else f"{text[: LONGEST_WHY - 1]}…"


def _shown(lines: Sequence[_Line], instants: Collection[int]) -> list[_Line | None]:
    """What is before and after a change, the ends, and the instants; None where something is left out."""
    if not lines:
        return []
    kept = {0, len(lines) - 1}
    for place, (before, after) in enumerate(pairwise(lines)):
        kept |= {place, place + 1} if before.key != after.key else set()
    for instant in instants:
        kept.add(max((place for place, line in enumerate(lines) if line.at <= instant), default=0))
    shown: list[_Line | None] = []
    for place in sorted(kept):
        if place and place - 1 not in kept:
            shown.append(None)
        shown.append(lines[place])
    return shown


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    whole = [row for row in rows if len(row) == len(HEADER)]
    widths = [max(len(row[column]) for row in whole) for column in range(len(HEADER) - 1)]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, [*widths, 0], strict=False)).rstrip()
        for row in rows
    ]
