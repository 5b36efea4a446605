"""What a backtest says to a person, and to a program."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from daemon.cli.output import ABSENT, Cell, clean, colour, print_table
from daemon.domain.units import say_duration, say_ratio

if TYPE_CHECKING:
    from daemon.domain.backtest import Incident, Report, RuleReport, Score
    from daemon.domain.explanation import Explanation
    from daemon.logic.sweeping import Sweep

FIRING = ("RULE", "EPISODES", "MEDIAN", "LONGEST", "FIRING", "MSG/DAY", "MSG/NIGHT", "FLAPS")
QUIET = ("RULE", "NEAR", "NEAREST", "BLIND", "LONGEST BLIND")
ACTING = ("RULE", "MITIGATED", "IN FORCE", "TURNS LED AWAY")
PAIR = ("RULE", "EPISODES", "FIRING", "MSG/DAY", "MSG/NIGHT", "FLAPS", "MITIGATED")


# ---- one report ------------------------------------------------------------------------------------------------------


def print_report(found: "Report") -> None:
    """What would have fired, how near the others came, what would have been done."""
    print(_head(found))
    fired = [one for one in found.rules if one.episodes or one.messages]
    if fired:
        _print_section("Would have fired", FIRING, [_fired(one) for one in fired])
    else:
        print("\nNothing would have fired.")
    seen = [one for one in found.rules if one.looks]
    told = [one for one in seen if one.near_misses or one.blind_share]
    if told:
        _print_section("Near misses, and looks without enough samples", QUIET, [_quiet(one) for one in told])
    acted = [one for one in found.rules if one.mitigations or one.refusals]
    if acted:
        _print_section("Would have acted", ACTING, [_acted(one) for one in acted])
        _print_refusals(acted)
    _print_rest(found, {one.alert for one in (*fired, *told, *acted)})
    if found.score is not None:
        _print_score(found)


def _head(found: "Report") -> str:
    return (
        f"{_say(found.span.since)} to {_say(found.span.until)}: {found.events:,} events in "
        f"{say_duration(found.span.seconds)}, {found.messages:,} messages "
        f"({_rate(found.messages_per_day)} a day, {_rate(found.messages_per_night)} a night)"
    )


def _print_section(title: str, header: tuple[str, ...], rows: list[list[Cell]]) -> None:
    print(f"\n{colour(title, 'bold')}")
    print_table(header, rows)


def _fired(one: "RuleReport") -> list[Cell]:
    return [
        one.alert,
        _number(one.episodes),
        _seconds(one.median_seconds),
        _seconds(one.longest_seconds),
        _share(one.share_firing),
        _rate(one.messages_per_day),
        _rate(one.messages_per_night),
        (_number(one.flaps), "yellow") if one.flaps else ABSENT,
    ]


def _quiet(one: "RuleReport") -> list[Cell]:
    return [
        one.alert,
        ABSENT if one.near_misses is None else _number(one.near_misses),
        ABSENT if one.nearest is None else f"{one.nearest:.0%} of its threshold",
        _share(one.blind_share),
        _seconds(one.longest_blind_seconds),
    ]


def _acted(one: "RuleReport") -> list[Cell]:
    return [one.alert, _number(one.mitigations), _seconds(one.lease_seconds or None), _number(one.led_away)]


def _print_refusals(acted: "list[RuleReport]") -> None:
    said = [(one.alert, words, times) for one in acted for words, times in one.refusals.items()]
    if said:
        print("not done:")
    for alert, words, times in said:
        print(clean(f"  {alert}: {words}" + (f" ({times} times)" if times > 1 else "")))


def _print_rest(found: "Report", told: set[str]) -> None:
    """Nobody shall wonder where a rule is."""
    quiet = [one.alert for one in found.rules if one.looks and one.alert not in told]
    blank = [one.alert for one in found.rules if not one.looks and one.alert not in told]
    if quiet:
        print(f"\nquiet: {clean(', '.join(quiet))}")
    if blank:
        print(f"\nnot about requests, and without an alert: {clean(', '.join(blank))}")


def _print_score(found: "Report") -> None:
    score = found.score
    assert score is not None
    rows: list[list[Cell]] = [[name, *_scored(one)] for name, one in (("all", score), *found.scores.items())]
    _print_section("Beside the labelled incidents", ("RULE", "EPISODES", "PRECISION", "RECALL", "RAISED"), rows)
    for incident in score.missed:
        print(colour(clean(f"missed: {_incident(incident)}"), "red"))


def _scored(one: "Score") -> list[Cell]:
    return [_number(one.episodes), _share(one.precision), _share(one.recall), _lead(one.median_lead_seconds)]


def _lead(seconds: float | None) -> str:
    if seconds is None:
        return ABSENT
    return f"{say_duration(abs(seconds))} {'before' if seconds > 0 else 'after'} it began"


def _incident(one: "Incident") -> str:
    facts = [f"{name}={value}" for name, value in one.labels]
    return " ".join([_say(one.since), "to", _say(one.until), *([one.alert] if one.alert else []), *facts])


# ---- two files, and many values --------------------------------------------------------------------------------------


def print_pair(ours: "Report", other: "Report") -> None:
    """What differs between two files."""
    print(_head(ours))
    print(f"against: {other.messages:,} messages ({_rate(other.messages_per_day)} a day)")
    rows = [_differing(name, one, two) for name, one, two in _paired(ours, other) if one != two]
    if rows:
        _print_section("What differs", PAIR, rows)
    else:
        print("\nNothing differs.")
    for one in (ours, other):
        if one.score is not None:
            _print_score(one)


def _paired(ours: "Report", other: "Report") -> "list[tuple[str, RuleReport | None, RuleReport | None]]":
    first, second = ({one.alert: one for one in found.rules} for found in (ours, other))
    return [(name, first.get(name), second.get(name)) for name in dict.fromkeys((*first, *second))]


def _differing(name: str, one: "RuleReport | None", two: "RuleReport | None") -> list[Cell]:
    cells = [
        [ABSENT] * 6 if its is None else [*(_fired(its)[place] for place in (1, 4, 5, 6, 7)), _number(its.mitigations)]
        for its in (one, two)
    ]
    return [name, *(_change(before, after) for before, after in zip(*cells, strict=True))]


def _change(before: Cell, after: Cell) -> Cell:
    was, now = (cell if isinstance(cell, str) else cell[0] for cell in (before, after))
    return was if was == now else (f"{was} -> {now}", "yellow")


def print_sweep(sweep: "Sweep", found: "Mapping[str, Report]") -> None:
    """One line for each value."""
    first = next(iter(found.values()))
    print(f"{sweep.alert} alone, {_say(first.span.since)} to {_say(first.span.until)}: {first.events:,} events\n")
    is_scored = first.score is not None
    header = [sweep.field.upper(), "EPISODES", "MSG/DAY", "MSG/NIGHT", "FIRING", "FLAPS", "NEAR"]
    header += ["MISSED", "PRECISION", "RAISED"] if is_scored else []
    print_table(header, [_swept(value, one) for value, one in found.items()])


def _swept(value: str, found: "Report") -> list[Cell]:
    (one,), score = found.rules, found.score
    cells: list[Cell] = [
        value,
        _number(one.episodes),
        _rate(one.messages_per_day),
        _rate(one.messages_per_night),
        _share(one.share_firing),
        _number(one.flaps),
        ABSENT if one.near_misses is None else _number(one.near_misses),
    ]
    if score is None:
        return cells
    missed: Cell = (f"{len(score.missed)} of {score.incidents}", "red") if score.missed else ABSENT
    return [*cells, missed, _share(score.precision), _lead(score.median_lead_seconds)]


# ---- objects ---------------------------------------------------------------------------------------------------------


def as_object(found: "Report") -> dict[str, Any]:
    """A report for programs; spans are seconds, shares are between 0 and 1."""
    told = {
        "from": _iso(found.span.since),
        "to": _iso(found.span.until),
        "days": found.span.days,
        "events": found.events,
        "messages": found.messages,
        "messages_per_day": found.messages_per_day,
        "messages_per_night": found.messages_per_night,
        "rules": [asdict(one) for one in found.rules],
    }
    if found.score is not None:
        told["score"] = _score_object(found.score)
        told["scores"] = {name: _score_object(one) for name, one in found.scores.items()}
    return told


def as_pair(ours: "Report", other: "Report") -> dict[str, Any]:
    """Both, and the names of the rules that differ."""
    differing = [name for name, one, two in _paired(ours, other) if one != two]
    return {"rules": as_object(ours), "against": as_object(other), "differing": differing}


def sweep_object(sweep: "Sweep", found: "Mapping[str, Report]") -> dict[str, Any]:
    """One report for each value."""
    values = [{"value": value, **as_object(one)} for value, one in found.items()]
    return {"alert": sweep.alert, "field": sweep.field, "level": sweep.level, "values": values}


def _score_object(score: "Score") -> dict[str, Any]:
    return {
        "incidents": score.incidents,
        "episodes": score.episodes,
        "precision": score.precision,
        "recall": score.recall,
        "median_lead_seconds": score.median_lead_seconds,
        "missed": [_incident_object(one) for one in score.missed],
    }


def _incident_object(one: "Incident") -> dict[str, Any]:
    told = {"from": _iso(one.since), "to": _iso(one.until), **dict(one.labels)}
    return told | ({"alert": one.alert} if one.alert else {})


# ---- one decision ----------------------------------------------------------------------------------------------------


def print_explained(told: "Explanation") -> None:
    """As `runbookd explain` says it."""
    print(f"{colour(clean(told.alert), 'bold')} at {_say(told.at)}: {told.decision}")
    for line in told.because:
        print(f"  - {clean(line)}")
    print(f"notified: {_done('would have been sent', told.not_notified_because)}")
    print(f"acted: {_done('something would have been done', told.not_acted_because)}")


def _done(done: str, why_not: str | None) -> str:
    return done if why_not is None else f"no, {clean(why_not)}"


def explained_object(told: "Explanation") -> dict[str, Any]:
    """The decision and its figures."""
    return asdict(told) | {"at": _iso(told.at)}


# ---- cells -----------------------------------------------------------------------------------------------------------


def _say(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%M} UTC"


def _iso(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat()


def _number(value: int) -> str:
    return f"{value:,}" if value else ABSENT


def _seconds(value: float | None) -> str:
    return ABSENT if value is None else say_duration(value)


def _share(value: float | None) -> str:
    return ABSENT if value is None else say_ratio(value)


def _rate(value: float) -> str:
    return f"{value:.1f}" if value else "0"
